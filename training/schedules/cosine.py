"""The learning rate falls along half a cosine to 0 at the last step (Loshchilov and Hutter 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.schedule import Schedule

if TYPE_CHECKING:
    import torch


class Cosine(Schedule):
    """Slow at first, slow at the end, fast between."""

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
        from diffusers import optimization

        return optimization.get_cosine_schedule_with_warmup(optimizer, self.warmup, steps)  # type: ignore[no-any-return]
