"""Lion with its state in 8 bits: an eighth of AdamW's memory. Wants a third of AdamW's learning rate, as Lion does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from training.optimizer import Optimizer

if TYPE_CHECKING:
    import torch

    from training.adapter import Group


class Lion8bit(Optimizer):
    """As `lion`; one state of one byte per weight. Weights of less than 4,096 values keep 32 bits."""

    learning_rate: float = Field(default=3e-5, gt=0)
    """a third of AdamW's, since each weight moves by all of it in each step"""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """how much the direction of the step leans on the past"""
    beta2: float = Field(default=0.99, ge=0, lt=1)
    """how long the mean of the gradients remembers"""
    weight_decay: float = Field(default=0.03, ge=0)
    """three times AdamW's, as the paper says, because it is multiplied by a smaller learning rate"""

    def build(self, groups: Sequence[Group]) -> torch.optim.Optimizer:
        import bitsandbytes

        optimizer: torch.optim.Optimizer = bitsandbytes.optim.Lion8bit(
            self.with_rates(groups),
            lr=self.learning_rate,
            betas=(self.beta1, self.beta2),
            weight_decay=self.weight_decay,
        )
        return optimizer
