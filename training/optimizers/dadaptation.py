"""D-Adaptation (Defazio and Mishchenko 2023): finds its own rate. Leave `learning_rate` at 1. Costs more memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from training.adaptive import Adaptive

if TYPE_CHECKING:
    import torch

    from training.adapter import Group


class DAdaptation(Adaptive):
    """Adam inside; three float32 states per weight. Needs some dozen steps until it has found its rate."""

    beta1: float = Field(default=0.9, ge=0, lt=1)
    """how long the mean of the gradients remembers"""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """how long the mean of their squares remembers"""
    weight_decay: float = Field(default=0.0, ge=0)
    """pulls the weights towards 0, times the rate that was found"""
    first: float = Field(default=1e-6, gt=0)
    """the rate that the search begins with; it only ever grows"""
    growth: float | None = Field(default=None, gt=1)
    """times the rate grows at most in a step; 1.02 is a kind of warm-up, null is no limit"""

    def build(self, groups: Sequence[Group]) -> torch.optim.Optimizer:
        import pytorch_optimizer

        self.refuse_rates(groups)
        return self.kept_on_device(
            pytorch_optimizer.DAdaptAdam,
            groups,
            lr=self.learning_rate,
            betas=(self.beta1, self.beta2),
            d0=self.first,
            growth_rate=self.growth or math.inf,
            weight_decay=self.weight_decay,
            weight_decouple=True,
        )
