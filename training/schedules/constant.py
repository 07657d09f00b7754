"""The learning rate stays; the usual choice for a short run that is watched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from training.schedule import Schedule

if TYPE_CHECKING:
    import torch


class Constant(Schedule):
    """The same rate at every step after the warm-up."""

    @override
    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
        from diffusers import optimization

        return optimization.get_constant_schedule_with_warmup(optimizer, self.warmup)  # type: ignore[no-any-return]
