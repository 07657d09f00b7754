"""The learning rate falls in a straight line to 0 at the last step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.schedule import Schedule

if TYPE_CHECKING:
    import torch


class Linear(Schedule):
    """From the full rate after the warm-up to 0 at the end."""

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
        from diffusers import optimization

        return optimization.get_linear_schedule_with_warmup(optimizer, self.warmup, steps)  # type: ignore[no-any-return]
