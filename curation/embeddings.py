"""Unit vectors of pictures compared, all with all or with one query, exactly and in a bounded amount of memory."""

import numpy as np
from numpy.typing import NDArray

from core.errors import RecipeError
from curation.hamming import Pairs

Vectors = NDArray[np.float32]
"""(n, d), of unit length"""

BLOCK = 2048
"""pictures a side: a block of cosines has 16 MB"""
MOST_PAIRS = 20_000_000
"""320 MB of pairs; more come from a threshold below which all pictures of a set are alike"""


def pairs_above(vectors: Vectors, cosine: float) -> Pairs:
    """Every pair of positions whose cosine is at least ``cosine``, sorted: n * n / 2 products, nothing left out."""
    found, count = [np.empty((0, 2), np.int64)], 0
    for top in range(0, len(vectors), BLOCK):
        for left in range(top, len(vectors), BLOCK):
            cosines = vectors[top : top + BLOCK] @ vectors[left : left + BLOCK].T
            pairs = np.argwhere(cosines >= cosine) + np.array((top, left))
            found.append(pairs[pairs[:, 0] < pairs[:, 1]])
            count += len(found[-1])
            if count > MOST_PAIRS:
                raise RecipeError(
                    f"embedding: {cosine:g} makes more than {MOST_PAIRS:,} pairs of {len(vectors):,} pictures "
                    "near-duplicates; to this CLIP the set is more alike than that: raise it, or leave it out"
                )
    pairs = np.concatenate(found)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def mean_nearest(vectors: Vectors, count: int) -> NDArray[np.float64]:
    """(n,): each vector's mean cosine distance to the ``count`` others that are nearest, or to as many as there are."""
    count = min(count, len(vectors) - 1)
    means = np.zeros(len(vectors))
    for top in range(0, len(vectors), BLOCK):
        rows = vectors[top : top + BLOCK]
        nearest = np.full((len(rows), 0), 0, np.float32)
        for left in range(0, len(vectors), BLOCK):
            cosines = rows @ vectors[left : left + BLOCK].T
            if left == top:
                np.fill_diagonal(cosines, -2)  # not with itself
            nearest = np.concatenate((nearest, cosines), axis=1)
            if nearest.shape[1] > count:
                nearest = np.partition(nearest, -count, axis=1)[:, -count:]
        means[top : top + BLOCK] = 1 - nearest.mean(1, dtype=np.float64)
    return means


def nearest_to(query: NDArray[np.float32], vectors: Vectors, count: int) -> list[tuple[int, float]]:
    """The ``count`` positions with the highest cosine to one vector, the best first; of equal ones the first."""
    if not len(vectors):
        return []
    cosines = vectors @ query
    count = min(count, len(cosines))
    least = np.partition(cosines, -count)[-count]
    best = np.flatnonzero(cosines >= least)
    best = best[np.argsort(-cosines[best], kind="stable")][:count]
    return [(int(at), float(cosines[at])) for at in best]
