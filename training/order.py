"""The order in which examples are shown: weighted epochs, shuffled, in full batches of one shape where possible."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.seeding import generator

Numbers = NDArray[np.intp]


class Order:
    """Epochs follow each other without end. The order of each follows from its number: nothing has to be remembered."""

    def __init__(self, weights: Sequence[float], shapes: Sequence[object], *, batch_size: int, seed: int) -> None:
        self._weights = np.array(weights, dtype=np.float64)
        known = {shape: number for number, shape in enumerate(dict.fromkeys(shapes))}
        self._shapes = np.array([known[shape] for shape in shapes])
        self._batch_size, self._seed = batch_size, seed
        self._offsets = generator("weights", seed).random(len(self._weights))

    def epoch(self, number: int) -> Numbers:
        """The examples of one epoch, each as often as its weight says, in order."""
        # an example of weight 1.5 comes once in one epoch and twice in the next; its own offset says which first
        times = self._until(number + 1) - self._until(number)
        shuffled = generator("order", self._seed, number).permutation(np.repeat(np.arange(len(times)), times))
        if self._shapes.max() == 0:
            return shuffled
        under_way = int(self._until(number).sum()) % self._batch_size
        return self._by_shape(shuffled, (-under_way) % self._batch_size, number)

    def _until(self, epoch: int) -> Numbers:
        """How often each example has come before an epoch."""
        return np.floor(self._weights * epoch + self._offsets).astype(np.intp)

    def _by_shape(self, shuffled: Numbers, lead: int, number: int) -> Numbers:
        """As many full batches of one shape as there are, in a drawn order; before and behind them what is left over.

        ``lead`` examples complete the batch that the epoch before has begun. What is left over stands in batches of
        several shapes: every example comes as often as any other, and every batch is full.
        """
        size = self._batch_size
        full: list[Numbers] = []
        left: list[int] = []
        for shape in range(int(self._shapes.max()) + 1):
            own = shuffled[self._shapes[shuffled] == shape]
            end = len(own) // size * size
            full += [own[start : start + size] for start in range(0, end, size)]
            left += own[end:].tolist()
        rng = generator("shapes", self._seed, number)
        left = [left[at] for at in rng.permutation(len(left))]
        while len(left) < min(lead, len(shuffled)):
            left += full.pop().tolist()
        middle = [*full, *(np.array(left[at : at + size]) for at in range(lead, len(left) - size + 1, size))]
        tail = left[lead + (len(left) - lead) // size * size :] if len(left) > lead else []
        drawn = [middle[at] for at in rng.permutation(len(middle))]
        return np.concatenate([np.array(left[:lead]), *drawn, np.array(tail)]).astype(np.intp)
