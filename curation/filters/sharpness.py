"""Refuse blurred pictures, by how steep their steepest edges are: flat drawings are as sharp as photographs."""

import numpy as np
from pydantic import Field

from core.record import Reason
from curation.filter import Batch, Filter
from curation.view import View, percentile

FLAT = 8
"""grey levels: with less contrast there is nothing that could be blurred (`information` and `exposure` see to that)"""


class Sharpness(Filter):
    """``least`` is the steepest slope per pixel, as a share of the picture's contrast: about 1 / width of an edge.

    Measured on a copy of 256 to 511 pixels. An edge from one pixel to the next has 1; one blurred with a Gaussian of
    sigma pixels has 0.4 / sigma. The variance of the Laplacian, which others use, calls any flat drawing blurred.
    """

    least: float = Field(default=0.05, ge=0, le=1)
    """a picture whose steepest edges are flatter is refused"""

    @property
    def scores(self) -> tuple[str, ...]:
        return ("sharpness",)

    def measure(self, view: View) -> dict[str, float]:
        return {"sharpness": sharpness(view)}

    def judge(self, batch: Batch) -> dict[str, Reason]:
        return {
            r.id: Reason("blurred", f"sharpness {r.quality['sharpness']:.3f}; at least {self.least:g} is wanted")
            for r in batch.records
            if r.quality["sharpness"] < self.least
        }


def sharpness(view: View) -> float:
    """The steepest slope; 1 where there is nothing that could be blurred."""
    low, high = view.range
    if high - low < FLAT:
        return 1.0
    grey = view.grey
    neighbours = ((grey[1:], grey[:-1]), (grey[:, 1:], grey[:, :-1]))
    slopes = [np.maximum(one, other) - np.minimum(one, other) for one, other in neighbours]
    steepest = max(percentile(slope, 0.998) for slope in slopes if slope.size)
    return min(1.0, steepest / (high - low))
