"""A schedule says how the learning rate goes over the steps, after a linear warm-up."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from pydantic import Field

from core.block import Block

if TYPE_CHECKING:
    import torch


class Schedule(Block, family="training.schedules"):
    """The parameters of a schedule."""

    warmup: int = Field(default=0, ge=0)
    """steps over which the learning rate rises linearly from 0"""

    @abstractmethod
    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
        """The schedule for a run of ``steps`` optimizer steps, to be stepped after each."""
