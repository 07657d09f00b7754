"""Exponential moving average of what is trained (EMA): smoother than the last step, and exported in its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """average = decay * average + (1 - decay) * weights; at the start the decay is smaller, so that it catches up."""

    def __init__(self, parameters: Sequence[nn.Parameter], decay: float) -> None:
        self._parameters, self._decay = [parameter.data for parameter in parameters], decay
        self._average = [data.clone() for data in self._parameters]

    def decay_at(self, step: int) -> float:
        """(1 + step) / (10 + step), until that is more than the decay asked for."""
        return min(self._decay, (1 + step) / (10 + step))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """After each optimizer step; ``step`` is its number."""
        torch._foreach_lerp_(self._average, self._parameters, 1 - self.decay_at(step))

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Within it the average stands in the weights' place; afterwards they are what they were, bit for bit."""
        kept = [data.clone() for data in self._parameters]
        torch._foreach_copy_(self._parameters, self._average)
        try:
            yield
        finally:
            torch._foreach_copy_(self._parameters, kept)

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint must keep."""
        return {str(number): average for number, average in enumerate(self._average)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Put back what `state` gave."""
        for number, average in enumerate(self._average):
            average.copy_(state[str(number)])
