"""An adapter says what is trained: it attaches to a frozen base and gives back the weights it trains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from core.block import Block
from core.errors import RecipeError

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

    def begin(self, file: Path) -> str:
        """Let what a finished file of this kind has learned be what is trained on; a word where it lacks something.

        `RecipeError` where its shapes are others, and for kinds that cannot.
        """
        raise RecipeError(f"train.start_from: this kind of adapter cannot go on from {file}")

    @abstractmethod
    def export(self, folder: Path, metadata: Mapping[str, str]) -> None:
        """Write the files that other programs read, with ``metadata`` in those that have room for it."""

    @abstractmethod
    def detach(self) -> None:
        """Leave the backbone as it was before `Adapter.attach`."""

    def conditioning(self, captions: Sequence[str], cached: Conditioning, step: int) -> Conditioning:  # noqa: ARG002
        """What the network is told of a batch: the cached text states, unless the adapter trains words itself."""
        return cached

    def after_step(self) -> None:  # noqa: B027
        """Called after each optimizer step: the place for a limit on the weights' norm."""


class Adapter(Block, family="training.adapters"):
    """The parameters of an adapter."""

    files: ClassVar[Mapping[str, str]] = {
        "weights": "kohya.safetensors",
        "diffusers": "pytorch_lora_weights.safetensors",
    }
    """what `Attached.export` writes, by what it is for; ``weights`` is the one that is looked at and registered"""

    def check(self, captions: Sequence[str]) -> None:
        """`RecipeError` where nothing can be learned from pictures with these captions."""

    @abstractmethod
    def attach(self, backbone: Backbone) -> Attached:
        """Put it on the backbone; what it starts with is drawn from torch's global generator."""

    def attach_with_words(self, backbone: Backbone, rate: float, steps: int) -> Attached:  # noqa: ARG002
        """Put it on the network and the text encoder; `RecipeError` where this kind trains no text encoder.

        The text encoder's learning rate is ``rate`` times the optimizer's; after ``steps`` it stays as it is.
        """
        raise RecipeError(f"train.text_encoder: {self.kind} trains no text encoder; lora and locon do. Leave it out")
