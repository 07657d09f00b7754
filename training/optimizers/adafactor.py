"""Adafactor (Shazeer and Stern 2018): means of squares by rows and columns, so hardly any memory. Rates as AdamW's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from training.optimizer import Optimizer

if TYPE_CHECKING:
    import torch

    from training.adapter import Group


class Adafactor(Optimizer):
    """At the given learning rate, without a mean of the gradients: what trainers of diffusion models use it as."""

    learning_rate: float = Field(default=1e-4, gt=0)
    scaled: bool = False
    """times the size of each weight, as in the paper; what begins at zero, as a LoRA's B, then hardly moves"""
    clip: float = Field(default=1.0, gt=0)
    """an update's mean size is brought down to this before the learning rate counts"""
    decay: float = Field(default=0.8, gt=0, le=1)
    """how fast old squares are forgotten; the paper's exponent"""
    weight_decay: float = Field(default=0.0, ge=0)
    """pulls the weights towards 0, times the learning rate"""

    def build(self, groups: Sequence[Group]) -> torch.optim.Optimizer:
        import pytorch_optimizer

        optimizer: torch.optim.Optimizer = pytorch_optimizer.AdaFactor(
            self.with_rates(groups),
            lr=self.learning_rate,
            betas=(None, 0.999),
            decay_rate=-self.decay,
            weight_decay=self.weight_decay,
            weight_decouple=True,
            clip_threshold=self.clip,
            scale_parameter=self.scaled,
            relative_step=False,
        )
        return optimizer
