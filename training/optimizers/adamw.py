"""AdamW (Loshchilov and Hutter 2019): the usual choice. Start at 1e-4 for a LoRA on SD 1.5."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from training.optimizer import Optimizer

if TYPE_CHECKING:
    import torch

    from training.adapter import Group


class AdamW(Optimizer):
    """Adam with decoupled weight decay; torch's fused implementation, two float32 states per weight."""

    learning_rate: float = Field(default=1e-4, gt=0)
    """how far each step goes, before the schedule"""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """how long the mean of the gradients remembers"""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """how long the mean of their squares remembers"""
    weight_decay: float = Field(default=0.01, ge=0)
    """pulls the weights towards 0, times the learning rate"""
    epsilon: float = Field(default=1e-8, gt=0)
    """keeps the division by a small mean of squares finite"""

    def build(self, groups: Sequence[Group]) -> torch.optim.Optimizer:
        import torch

        return torch.optim.AdamW(
            self.with_rates(groups),
            lr=self.learning_rate,
            betas=(self.beta1, self.beta2),
            weight_decay=self.weight_decay,
            eps=self.epsilon,
            fused=True,
        )
