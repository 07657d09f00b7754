"""The learning rate falls along a cosine several times, and jumps back up in between (SGDR, 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from training.schedule import Schedule

if TYPE_CHECKING:
    import torch


class CosineWithRestarts(Schedule):
    """``cycles`` equal waves."""

    cycles: int = Field(default=3, ge=1)
    """how many waves there are, each from the full rate down to 0"""

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
        from diffusers import optimization

        build = optimization.get_cosine_with_hard_restarts_schedule_with_warmup
        return build(optimizer, self.warmup, steps, self.cycles)  # type: ignore[no-any-return]
