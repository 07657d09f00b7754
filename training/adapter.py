"""An adapter says what is trained: it attaches to a frozen base and gives back the weights it trains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.block import Block

if TYPE_CHECKING:
    from torch import Tensor, nn

    from backbones.backbone import Backbone, Conditioning


@dataclass(frozen=True)
class Group:
    """Weights that share a learning rate."""

    parameters: list[nn.Parameter]
    rate: float = 1.0
    """times the optimizer's learning rate (LoRA+ raises it for B, a text encoder lowers it)"""


class Attached(ABC):
    """An adapter that sits on a backbone and is being trained."""

    @property
    @abstractmethod
    def groups(self) -> list[Group]:
        """All that is trained, in an order that is the same in every process."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """Everything that `restore` needs, by name, exactly as it is trained (no rounding)."""

    @abstractmethod
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave."""

    @abstractmethod
    def export(self, folder: Path, metadata: Mapping[str, str]) -> None:
        """Write the files that other programs read, with ``metadata`` in those that have room for it."""

    @abstractmethod
    def detach(self) -> None:
        """Leave the backbone as it was before `Adapter.attach`."""

    def conditioning(self, captions: Sequence[str], cached: Conditioning) -> Conditioning:  # noqa: ARG002
        """What the network is told of a batch: the cached text states, unless the adapter trains words itself."""
        return cached

    def after_step(self) -> None:  # noqa: B027
        """Called after each optimizer step: the place for a limit on the weights' norm."""


class Adapter(Block, family="training.adapters"):
    """The parameters of an adapter."""

    @abstractmethod
    def attach(self, backbone: Backbone) -> Attached:
        """Put it on the backbone; what it starts with is drawn from torch's global generator."""
