"""Refuse pictures that are unlike all others of the set, by their distance to the nearest ones in a CLIP's space."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.record import Reason
from curation.embeddings import mean_nearest
from curation.filter import Batch, Filter

TO_SIGMA = 1.4826
"""the median distance from the median, times this, is a normal distribution's standard deviation"""


class Outlier(Filter):
    """``z`` is how many standard deviations a picture's mean distance to its ``neighbours`` nearest lies above the
    middle one, with median and median deviation in the place of mean and deviation, so that outliers do not hide
    themselves. Name it after `near_duplicate`: two copies of an outlier are near to each other.

    Read its list before you trust it: what is rare may be what you want to be learned. The distances are kept as
    ``outlier`` with each picture.
    """

    z: float = Field(default=6.0, gt=0)
    """more refuses less; of pictures without outliers, 3 refuses some in a hundred and 6 hardly any"""
    neighbours: int = Field(default=5, ge=1)
    """the nearest pictures that count"""
    least: int = Field(default=50, ge=3)
    """in a set of fewer pictures nothing is refused: what is usual is not known yet"""
    clip: str = "pocket"
    """which CLIP: `pocket`, `local-dir:FOLDER`, or `MODEL:FILE` for any of open_clip's models"""

    whole: ClassVar[bool] = True

    @property
    def clips(self) -> tuple[str, ...]:
        return (self.clip,)

    def score(self, batch: Batch) -> dict[str, dict[str, float]]:
        first = {record.sha256: at for at, record in reversed(list(enumerate(batch.records)))}
        if len(first) < 2:
            return {}
        from backbones.embedding import Embedder

        records = [batch.records[at] for at in first.values()]  # a copy of the same file is no neighbour
        vectors = Embedder.named(self.clip, batch.cache).pictures(records, batch.read)
        apart = dict(zip(first, mean_nearest(vectors, self.neighbours).tolist(), strict=True))
        return {record.id: {"outlier": round(apart[record.sha256], 4)} for record in batch.records}

    def judge(self, batch: Batch) -> dict[str, Reason]:
        apart = np.array([record.quality.get("outlier", 0.0) for record in batch.records])
        if len(apart) < self.least:
            return {}
        return {
            record.id: Reason(
                "outlier", f"{far:.1f} deviations further from its nearest than is usual; {self.z:g} may be"
            )
            for record, far in zip(batch.records, robust_z(apart).tolist(), strict=True)
            if far > self.z
        }


def robust_z(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many deviations each value lies above the middle."""
    middle = np.median(values)
    deviation = TO_SIGMA * np.median(np.abs(values - middle))
    found: NDArray[np.float64] = (values - middle) / max(deviation, 1e-3)  # equal pictures have none
    return found
