"""An optimizer says how gradients move the weights."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import Field

from core.block import Block

if TYPE_CHECKING:
    import torch

    from training.adapter import Group


class Optimizer(Block, family="training.optimizers"):
    """The parameters of an optimizer. Its state must be tensors and plain values, so that checkpoints can hold it."""

    learning_rate: float = Field(gt=0)
    """how far each step goes, before the schedule"""

    def advice(self) -> str:
        """What to tell a user whose values are unusual for this kind; empty where all is well."""
        return ""

    @abstractmethod
    def build(self, groups: Sequence[Group]) -> torch.optim.Optimizer:
        """The optimizer over the groups, each at ``learning_rate`` times its own rate."""

    @contextmanager
    def paused(self, optimizer: torch.optim.Optimizer) -> Iterator[None]:  # noqa: ARG002
        """Within it the weights are those to be measured and exported; schedule-free optimizers swap theirs here."""
        yield

    def with_rates(self, groups: Sequence[Group]) -> list[dict[str, Any]]:
        """The groups as torch's optimizers take them."""
        return [{"params": group.parameters, "lr": self.learning_rate * group.rate} for group in groups]
