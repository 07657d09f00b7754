"""Refuse pictures that show nothing: one colour, or one colour with a speck."""

import numpy as np
from pydantic import Field

from core.record import Reason
from curation.filter import Batch, Filter
from curation.view import SMALL, View

STEPS = (289, 17, 1)
"""what makes one number of three bins"""


class Information(Filter):
    """At least ``bits`` of entropy per pixel in a histogram of colours, 32 of 256 levels wide.

    A patch over 1 % of an empty ground has 0.08 bits, one over 5 % 0.29; drawings have 1 to 3, photographs 4 to 7.
    """

    bits: float = Field(default=0.05, ge=0, le=12)

    @property
    def scores(self) -> tuple[str, ...]:
        return ("information",)

    def measure(self, view: View) -> dict[str, float]:
        few = slice(
            None, None, 2 if min(view.small.shape[:2]) >= SMALL else 1
        )  # enough to tell, in a third of the time
        colours = np.zeros(view.channels[0][few, few].shape, np.uint16)
        for channel, ground, step in zip(view.channels, view.medians, STEPS, strict=True):
            bins = (np.arange(256) - ground + 272) >> 5  # 0 to 16; centred, so that noise about the ground stays in one
            colours += np.take((bins * step).astype(np.uint16), channel[few, few])
        counts = np.bincount(colours.ravel())
        share = counts[counts > 0] / colours.size
        return {"information": max(0.0, float(-(share * np.log2(share)).sum()))}

    def judge(self, batch: Batch) -> dict[str, Reason]:
        return {
            r.id: Reason("no_information", f"{r.quality['information']:.3f} bits per pixel; {self.bits:g} are wanted")
            for r in batch.records
            if r.quality["information"] < self.bits
        }
