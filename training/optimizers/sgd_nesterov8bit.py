"""Plain descent with Nesterov's momentum, in 8 bits: the smallest memory of all. Rates as `sgd_nesterov`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from training.optimizer import Optimizer

if TYPE_CHECKING:
    import torch

    from training.adapter import Group


class SgdNesterov8bit(Optimizer):
    """One state of one byte per weight. Weights of less than 4,096 values keep 32 bits."""

    learning_rate: float = Field(default=0.1, gt=0)
    momentum: float = Field(default=0.9, gt=0, lt=1)
    """how much of the last step goes on in the next one"""
    weight_decay: float = Field(default=0.0, ge=0)
    """pulls the weights towards 0: added to the gradient"""

    def build(self, groups: Sequence[Group]) -> torch.optim.Optimizer:
        from training.eight_bit import NesterovSGD8bit

        return NesterovSGD8bit(
            self.with_rates(groups), lr=self.learning_rate, momentum=self.momentum, weight_decay=self.weight_decay
        )
