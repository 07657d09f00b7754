"""Lion (Chen et al. 2023): half of AdamW's memory. Its step is a sign, so it wants a third of AdamW's learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from training.optimizer import Optimizer

if TYPE_CHECKING:
    import torch

    from training.adapter import Group


class Lion(Optimizer):
    """Every weight moves by the learning rate, up or down; one float32 state per weight."""

    learning_rate: float = Field(default=3e-5, gt=0)
    """a third of AdamW's: each weight moves by all of it each time; Adam's steps shrink where gradients disagree"""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """how much the direction of the step leans on the past"""
    beta2: float = Field(default=0.99, ge=0, lt=1)
    """how long the mean of the gradients remembers"""
    weight_decay: float = Field(default=0.03, ge=0)
    """three times AdamW's, as the paper says, because it is multiplied by a smaller learning rate"""

    def build(self, groups: Sequence[Group]) -> torch.optim.Optimizer:
        import pytorch_optimizer

        optimizer: torch.optim.Optimizer = pytorch_optimizer.Lion(
            self.with_rates(groups),
            lr=self.learning_rate,
            betas=(self.beta1, self.beta2),
            weight_decay=self.weight_decay,
            weight_decouple=True,
        )
        return optimizer
