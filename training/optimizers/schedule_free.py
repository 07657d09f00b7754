"""Schedule-free AdamW (Defazio et al. 2024): averages instead of a falling rate. Use it with `schedule: constant`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import Field

from training.optimizer import Optimizer

if TYPE_CHECKING:
    import torch

    from training.adapter import Group


class ScheduleFree(Optimizer):
    """Two float32 states per weight. What is measured and exported is the average, which trains on unseen."""

    learning_rate: float = Field(default=2.5e-4, gt=0)
    """two to three times AdamW's"""
    beta1: float = Field(default=0.9, gt=0, lt=1)
    """how close to the average the gradients are taken"""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """how long the mean of the squares remembers"""
    weight_decay: float = Field(default=0.0, ge=0)
    """pulls the weights towards 0, times the learning rate"""

    def build(self, groups: Sequence[Group]) -> torch.optim.Optimizer:
        import pytorch_optimizer

        optimizer: torch.optim.Optimizer = pytorch_optimizer.ScheduleFreeAdamW(
            self.with_rates(groups),
            lr=self.learning_rate,
            betas=(self.beta1, self.beta2),
            weight_decay=self.weight_decay,
        )
        return optimizer

    @contextmanager
    def paused(self, optimizer: Any) -> Iterator[None]:
        # there and back by the library's own arithmetic would not give the same bits again
        kept = [(p, p.detach().clone()) for group in optimizer.param_groups for p in group["params"]]
        optimizer.eval()
        try:
            yield
        finally:
            for parameter, value in kept:
                parameter.data.copy_(value)
            for group in optimizer.param_groups:
                group["train_mode"] = True
