"""Refuse pictures without colour, whatever their file says; sepia and other tones too if asked."""

import numpy as np
from pydantic import Field

from core.record import Reason
from curation.filter import Batch, Filter
from curation.view import View, percentile

NEARLY_ALL = 0.995
"""of the pixels: a red pin on a grey map makes it coloured, a few stray pixels do not"""
MOST_TONED = 0.5
"""colour that a tone may have; a yellow face on white has more, and is no toned picture"""
TONES = 32
"""levels of brightness at which the tone is looked at"""


class Monochrome(Filter):
    """``colour`` is how far apart a pixel's red, green and blue are, from 0 to 1, in all but half a percent of them.

    A toned picture has one colour for each brightness: ``toning`` is what a smooth curve leaves over. A drawing in
    one ink on white counts as toned as well.
    """

    colour: float = Field(default=0.03, ge=0, le=1)
    """what has no more than this is refused; grey pictures that were saved as JPEG have up to 0.02"""
    toned: bool = False
    """refuse sepia and other tones as well"""
    toning: float = Field(default=0.08, ge=0, le=1)
    """with ``toned``: what is left over, from 0 to 1, up to which a picture counts as toned. Toned photographs have up
    to 0.07, saved as JPEG too; those that a program made brown may have more; muted colours have 0.12 and more
    """

    @property
    def scores(self) -> tuple[str, ...]:
        return ("colour", "toning") if self.toned else ("colour",)

    def measure(self, view: View) -> dict[str, float]:
        red, green, blue = (view.small[::2, ::2, at] for at in range(3))
        apart = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
        scores = {"colour": percentile(apart, NEARLY_ALL) / 255}
        return scores | {"toning": left_over(view)} if self.toned else scores

    def judge(self, batch: Batch) -> dict[str, Reason]:
        refused = {}
        for r in batch.records:
            if (colour := r.quality["colour"]) <= self.colour:
                refused[r.id] = Reason("monochrome", f"it has no colour ({colour:.3f}; more than {self.colour:g} is)")
            elif self.toned and colour <= MOST_TONED and (toning := r.quality["toning"]) <= self.toning:
                words = f"it has one tone only: a curve leaves {toning:.3f} over; more than {self.toning:g} is colour"
                refused[r.id] = Reason("toned", words)
        return refused


def left_over(view: View) -> float:
    """How far pixels lie from the tone curve, which gives each brightness one colour, in all but half a percent."""
    pixels = view.small[::3, ::3].astype(np.float32)
    luma = view.grey[::3, ::3].ravel()
    worst = 0
    for channel in (0, 2):
        tint = pixels[..., channel].ravel() - luma
        counts = np.bincount(luma >> 3, minlength=TONES)
        means = np.bincount(luma >> 3, tint, TONES) / np.maximum(counts, 1)
        at = np.arange(TONES) / (TONES - 1)
        ends = at * (1 - at)  # black and white have no tint; in between it is smooth
        shapes = np.stack([np.ones(TONES), at, ends, ends * at], 1) * np.sqrt(counts)[:, None]
        curve = np.linalg.lstsq(shapes, means * np.sqrt(counts), rcond=None)[0]
        at = luma / np.float32(255)
        ends = at * (1 - at)
        smooth = curve[0] + curve[1] * at + curve[2] * ends + curve[3] * ends * at
        worst = max(worst, percentile(np.minimum(np.abs(tint - smooth), 255).astype(np.uint8), NEARLY_ALL))
    return worst / 255
