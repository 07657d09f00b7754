"""Intervals: for means by resampling groups, not pictures, so that near-duplicates count once; for shares after Wilson.

Percentile bootstrap (Efron 1979) over group means, each deviation widened by ``sqrt(n / (n - 1)) * t(n - 1) / z``
(Hesterberg 2015, "What Teachers Should Know about the Bootstrap"): plain percentiles are too narrow for few groups,
and held-out shares are small. One group says nothing about the spread: its interval is infinite.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.seeding import generator

Floats = NDArray[np.float64]
DRAWS = 2000


def group_means(values: Floats, groups: Sequence[str]) -> Floats:
    """(pictures, ...) to (groups, ...), sorted by the group's name."""
    _, own = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.zeros((own.max(initial=-1) + 1, *values.shape[1:]))
    np.add.at(sums, own, values)
    return sums / np.bincount(own).reshape(-1, *[1] * (values.ndim - 1))


def deviations(means: Floats, *seed: object, draws: int = DRAWS) -> Floats:
    """(groups, ...) to (draws, ...): how far the mean may be off, widened for few groups."""
    count = len(means)
    if count < 2:
        return np.full((draws, *means.shape[1:]), np.inf)
    rng = generator("bootstrap", count, *seed)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=draws) / count
    return np.tensordot(weights - 1 / count, means, axes=1) * widening(count)


def widening(count: int) -> float:
    """By how much a percentile interval over ``count`` groups has to grow to hold what it promises."""
    from scipy.special import ndtri, stdtrit

    return math.sqrt(count / (count - 1)) * float(stdtrit(count - 1, 0.975) / ndtri(0.975))


def interval(estimate: float, deviation: Floats) -> tuple[float, float]:
    """The 95 % interval; infinite where a deviation is."""
    if not (math.isfinite(estimate) and np.isfinite(deviation).all()):
        return -math.inf, math.inf
    low, high = np.quantile(deviation, [0.025, 0.975])
    return estimate + float(low), estimate + float(high)


def wilson(count: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927): right for small numbers too, and never outside 0 to 1."""
    z2 = 1.959964**2
    share, size = count / total, 1 + z2 / total
    middle = (share + z2 / (2 * total)) / size
    half = math.sqrt(z2 * (share * (1 - share) / total + z2 / (4 * total**2))) / size
    return max(0.0, middle - half), min(1.0, middle + half)
