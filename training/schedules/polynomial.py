"""The learning rate falls along a power of the steps that are left: 1 is linear, 2 and 3 are steeper at first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from training.schedule import Schedule

if TYPE_CHECKING:
    import torch


class Polynomial(Schedule):
    """Rate times (share of the steps left) to the power."""

    power: float = Field(default=2.0, gt=0)
    """1 is a straight line; more falls faster at first and slower at the end"""
    end: float = Field(default=0.0, ge=0, lt=1)
    """share of the rate that the last step has"""

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
        from diffusers import optimization

        build = optimization.get_polynomial_decay_schedule_with_warmup
        end = self.end * optimizer.defaults["lr"]
        return build(optimizer, self.warmup, steps, lr_end=end, power=self.power)  # type: ignore[no-any-return]
