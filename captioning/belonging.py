"""Do captions belong to their pictures? As a CLIP sees them: the set as a whole, and each caption among the others.

F is the matrix of cosines of pictures and captions, with the means of rows and columns taken away, since some captions
are near to everything. The set's `agreement` is the mean of F's diagonal in standard errors, by the spread of what is
off the diagonal: by chance it is about normal around 0. A caption's rank is the share of the other captions that fit
its picture less well: 1 is the best of all, .5 is chance. Equal captions are one.

How well it tells (sets of 20 emoji in two styles that the packaged CLIP, a small one, has never seen): `make
bench-verdict`. Cost: a product of (pictures, captions), at most `MOST` of them, and CLIP's vectors where they are not
there yet. When it lies: where a CLIP cannot read the captions (another language, names, only what all pictures have in
common), right captions are at chance, too; of fewer than `LEAST` different captions it says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backbones.embedding import Vectors

LEAST = 16
"""different captions; of 12 the packaged CLIP doubts a sixth of the sets that are right"""
MOST, BLOCK = 2000, 4096
"""captions that each is held against, evenly taken from all, and pictures that are looked at together"""
SURE = 1.64
"""standard errors above 0: captions that were mixed up get there in one of twenty sets"""
DOUBTED = 0.05
"""a caption that fits its picture less well than all but so many others may be another picture's"""


def agreement(pictures: Vectors, captions: Vectors, texts: Sequence[str]) -> float:
    """Standard errors of (n, d) unit vectors each above chance; NaN with fewer than `LEAST` different captions."""
    chosen = _different(texts)
    if len(chosen) < LEAST:
        return math.nan
    fit = pictures[chosen] @ captions[chosen].T
    fit = fit - fit.mean(0) - fit.mean(1, keepdims=True) + fit.mean()
    spread = float(fit[~np.eye(len(fit), dtype=bool)].std())
    return float(fit.diagonal().mean()) * math.sqrt(len(fit)) / max(spread, 1e-9)


def ranks(pictures: Vectors, captions: Vectors, texts: Sequence[str]) -> NDArray[np.float64]:
    """(n,) the share of (at most `MOST`) other captions that fit a picture less well; there must be two different."""
    first = {text: at for at, text in reversed(list(enumerate(texts)))}
    own, others = np.array([first[text] for text in texts]), _different(texts)
    centred = pictures - pictures.mean(0)
    result = np.empty(len(texts))
    for start in range(0, len(texts), BLOCK):
        rows = slice(start, start + BLOCK)
        fit = centred[rows] @ captions[others].T
        mine = (centred[rows] * captions[own[rows]]).sum(1, keepdims=True)
        foreign = others[None] != own[rows, None]
        result[rows] = ((fit < mine) & foreign).sum(1) / foreign.sum(1)
    return result


def mixed_up(pictures: Vectors, captions: Vectors, texts: Sequence[str]) -> str:
    """A sentence where captions fit their pictures no better than each other's; empty where they do, or are too few."""
    if not agreement(pictures, captions, texts) < SURE:
        return ""
    better = ranks(pictures, captions, texts).mean()
    return (
        f"The captions fit their pictures no better than each other's (on average better than {better:.0%} of the "
        "others; 50% is chance): were they mixed up? If not, they say what this CLIP cannot see."
    )


def _different(texts: Sequence[str]) -> NDArray[np.int64]:
    """The first of each text, at most `MOST` of them, evenly taken from all."""
    first = np.array(sorted({text: at for at, text in reversed(list(enumerate(texts)))}.values()), np.int64)
    return first[np.linspace(0, len(first) - 1, min(len(first), MOST)).astype(int)] if len(first) else first
