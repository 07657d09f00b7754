"""Refuse pictures that were saved as JPEG so small that the 8x8 blocks show; a copy saved as PNG is found too."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.record import Reason
from curation.filter import Batch, Filter
from curation.view import View

EDGE = 24
"""grey levels: a larger step is something that was drawn, not the seam of two blocks"""
SAMPLES = 50_000
"""pixels looked at in each direction: half a millisecond, whatever the picture's size"""
FEW = 4
"""rows: a seam that shows in fewer of those looked at counts less"""
FEW_SEAMS = 4.0
"""without that many seams a straight line of a drawing, which may lie anywhere, would decide"""


class JpegArtefacts(Filter):
    """``most`` is by how many grey levels pixels differ more across the seams of the blocks than beside them, as a
    share of 1 + what they differ by anyway. The place of the blocks is found, so that cropping hides nothing.

    Of 22 photographs and scans saved at quality 40 the middle one has 0.27, at quality 20 0.38; unspoiled they have
    at most 0.03. Of 750 flat drawings that were never JPEGs none has more than 0.28; at quality 15 half have 0.16.
    """

    most: float = Field(default=0.3, ge=0)
    """a lower value refuses more: 0.15 is about quality 60 in photographs"""

    @property
    def scores(self) -> tuple[str, ...]:
        return ("jpeg_blocks",)

    def measure(self, view: View) -> dict[str, float]:
        green = view.pixels[..., 1]  # most of what luma is made of, and no other plane has to be made
        found = [seams(lines) for side in (green, green.T) if (lines := sampled(side)) is not None]
        if not found:
            return {"jpeg_blocks": 0.0}
        excess, texture = np.mean(found, axis=0)
        return {"jpeg_blocks": float(excess / (1 + texture))}

    def judge(self, batch: Batch) -> dict[str, Reason]:
        return {
            r.id: Reason("jpeg_artefacts", f"JPEG blocks show by {r.quality['jpeg_blocks']:.2f}; at most {self.most:g}")
            for r in batch.records
            if r.quality["jpeg_blocks"] > self.most
        }


def sampled(plane: NDArray[np.uint8]) -> NDArray[np.int16] | None:
    """Some whole lines of a plane, evenly apart; none where there is no room for a few blocks."""
    height, width = plane.shape
    if width < 34 or height < 8:
        return None
    lines = np.linspace(0, height - 1, max(1, min(height, SAMPLES // width))).astype(np.intp)
    return np.ascontiguousarray(plane[lines]).astype(np.int16)


def seams(lines: NDArray[np.int16]) -> tuple[float, float]:
    """By how much the steps at the likeliest place of the seams exceed those beside them, and all others' mean.

    Of the eight places where blocks may begin, the second likeliest says what chance does.
    """
    steps = np.abs(lines[:, 1:] - lines[:, :-1])
    used = (steps.shape[1] - 2) // 8 * 8
    step, beside = steps[:, 1 : 1 + used], steps[:, :used] + steps[:, 2 : 2 + used]
    told = (step <= EDGE) & (beside <= 2 * EDGE) & (beside > 0)  # enlarged pixel art has seams, but nothing beside them
    count = told.sum(0, dtype=np.int32)
    sums = [(one * told).sum(0, dtype=np.int32) / np.maximum(count, 1) for one in (step, beside)]
    weight = count / (count + FEW)
    by_place = (weight * (sums[0] - sums[1] / 2)).reshape(-1, 8).sum(0)
    by_place /= weight.reshape(-1, 8).sum(0) + FEW_SEAMS
    second, first = np.sort(by_place)[-2:]
    return float(first - second), float((weight * sums[1] / 2).sum() / max(weight.sum(), 1e-9))
