"""How well each phrase fits pictures in general: the set's mean and spread, against which one picture is weighed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.cache import Cache
from core.hashing import digest

Scores = NDArray[np.float32]

PRIOR = 8
"""pictures' worth of belief that a phrase behaves like the others of its facet: it carries small sets"""


@dataclass(frozen=True)
class Background:
    """Mean and standard deviation of each phrase's similarity, and over how many pictures."""

    mean: Scores
    spread: Scores
    count: int

    def above(self, similarities: Scores) -> Scores:
        """z-scores: by how many spreads each phrase fits better than it fits pictures in general."""
        return (similarities - self.mean) / self.spread


def measured(similarities: Scores) -> Background:
    """The background of (pictures, phrases) similarities, drawn towards the facet's own average where there are few."""
    count = len(similarities)
    mean = (similarities.sum(0) + PRIOR * similarities.mean()) / (count + PRIOR)
    apart = similarities - similarities.mean(0)
    pooled = max(float((apart**2).mean()), float(similarities.mean(0).var()), 1e-6)
    variance = ((apart**2).sum(0) + PRIOR * pooled) / (count + PRIOR)
    return Background(mean.astype(np.float32), np.sqrt(variance).astype(np.float32), count)


def remembered_background(cache: Cache, key: str, count: int, similarities: Callable[[], Scores]) -> Background:
    """The background to use for a set of ``count`` pictures.

    It is kept, so that a picture more does not change the captions of all others, and measured anew when the set has
    grown to twice what it was measured on.
    """
    keys = [digest("background", key, age, length=32) for age in range(32)]
    known = cache.get(keys)
    newest = _unpacked(known[keys[len(known) - 1]]) if known else None
    if newest is not None and count < 2 * newest.count:
        return newest
    made = measured(similarities())
    cache.put({keys[len(known)]: np.concatenate([[np.float32(made.count)], made.mean, made.spread])})
    return made


def _unpacked(array: NDArray[np.generic]) -> Background:
    numbers = np.array(array, dtype=np.float32)
    mean, spread = np.split(numbers[1:], 2)
    return Background(mean, spread, int(numbers[0]))
