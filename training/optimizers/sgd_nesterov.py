"""Plain descent with Nesterov's momentum (1983). Small memory; wants a rate a thousand times AdamW's, and patience."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from training.optimizer import Optimizer

if TYPE_CHECKING:
    import torch

    from training.adapter import Group


class SgdNesterov(Optimizer):
    """One float32 state per weight. Steps follow the gradient's size, so the right rate differs from base to base."""

    learning_rate: float = Field(default=0.1, gt=0)
    momentum: float = Field(default=0.9, gt=0, lt=1)
    """how much of the last step goes on in the next one"""
    weight_decay: float = Field(default=0.0, ge=0)
    """pulls the weights towards 0: added to the gradient"""

    def build(self, groups: Sequence[Group]) -> torch.optim.Optimizer:
        import torch

        return torch.optim.SGD(
            self.with_rates(groups),
            lr=self.learning_rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=True,
            fused=True,
        )
