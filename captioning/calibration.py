"""From scores to how often they are right: Platt scaling, fitted on what people have reviewed (Platt 1999)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.cache import Cache
from core.hashing import digest

Numbers = NDArray[np.float64]
NEVER = 1.5
"""a threshold that no score reaches"""


@dataclass(frozen=True)
class Platt:
    """The logistic curve from a score to the chance that the tag is right, and the scores that it was fitted on."""

    slope: float
    offset: float
    scores: Numbers
    """of the reviewed tags, before calibration"""

    def __call__(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """The chance of being right, for each score."""
        lines = self.slope * _odds(scores) + self.offset
        return np.exp(-np.logaddexp(0, -lines)).astype(np.float32)

    def reaching(self, precision: float) -> float:
        """The lowest chance to say a tag from, so that of all tags that are said this share is right."""
        chances = np.sort(self(self.scores.astype(np.float32)))[::-1].astype(np.float64)
        means = np.cumsum(chances) / np.arange(1, len(chances) + 1)
        enough = np.flatnonzero(means >= precision)
        return float(chances[enough[-1]]) if len(enough) else NEVER

    def promised(self, threshold: float) -> float:
        """The share of right tags to expect of those from ``threshold`` on; 1 where there is none."""
        chances = self(self.scores.astype(np.float32))
        said = chances[chances >= threshold]
        return float(said.mean()) if len(said) else 1.0


def fitted(scores: NDArray[np.float32], right: NDArray[np.bool_]) -> Platt:
    """The curve through reviewed tags; drawn a little to the middle: ten right ones do not promise certainty."""
    from scipy.optimize import minimize  # slow to import, and a recipe is read without it

    odds, num_right = _odds(scores), int(right.sum())
    aims = np.where(right, (num_right + 1) / (num_right + 2), 1 / (len(right) - num_right + 2))

    def loss(curve: Numbers) -> float:
        lines = curve[0] * odds + curve[1]
        return float((np.logaddexp(0, lines) - aims * lines).sum())

    found = minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[(0, None), (None, None)])
    return Platt(float(found.x[0]), float(found.x[1]), np.asarray(scores, np.float64))


def remembered_calibration(
    cache: Cache, key: str, count: int, least: int, judged: Callable[[], tuple[NDArray[np.float32], NDArray[np.bool_]]]
) -> tuple[Platt | None, int]:
    """The curve to use where ``count`` reviews speak of a facet, and how many it was fitted on; None below ``least``.

    It is kept, so that a review more does not change all captions, and fitted anew when the reviews have doubled.
    """
    keys = [digest("calibration", key, least, age, length=32) for age in range(32)]
    known = cache.get(keys)
    newest = np.array(known[keys[len(known) - 1]], dtype=np.float64) if known else None
    if newest is not None and count < 2 * newest[0]:
        return Platt(newest[1], newest[2], newest[3:]), int(newest[0])
    if count < least:
        return None, 0
    made = fitted(*judged())
    cache.put({keys[len(known)]: np.concatenate([[count, made.slope, made.offset], made.scores])})
    return made, count


def _odds(scores: NDArray[np.float32] | Numbers) -> Numbers:
    inside = np.clip(np.asarray(scores, np.float64), 1e-6, 1 - 1e-6)
    odds: Numbers = np.log(inside / (1 - inside))
    return odds
