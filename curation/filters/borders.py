"""Refuse pictures with bars or a frame of one colour at their edges: letterboxes, scanned margins, screenshots."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.pixels import Pixels
from core.record import Reason
from curation.filter import Batch, Filter
from curation.view import View

SAME = 20
"""levels by which a bar's pixels may differ from its colour: JPEG and scanners leave no bar quite even"""
STRAY = 0.02
"""share of a bar's line that may be anything"""
THIN = 0.01
"""of the side: a thinner bar is a line, and an edge of a few pixels is what resizing leaves"""
SOFT = 4
"""lines of the reduced copy within which a bar may turn into the picture"""
FULL = 0.7
"""share of its first lines that a picture fills where a bar ends; a thing on a ground begins with a point or a curve"""
CORNER = 0.06
"""of the picture's side: it has to be filled at both ends as well; buttons and cards have round corners"""
FRAME = 0.45
"""share of the picture: what leaves more free on both its sides and above or below is a square thing on a ground"""

Mask = NDArray[np.bool_]


class Borders(Filter):
    """``most`` is the share of the picture that bars may take.

    A bar is even, as wide as the picture, and ends where the picture begins in one straight line, corners included. So
    a plain ground around a thing is none, unless the thing is a rectangle and fills most of the picture.
    """

    most: float = Field(default=0.05, ge=0, le=1)

    @property
    def scores(self) -> tuple[str, ...]:
        return ("borders",)

    def measure(self, view: View) -> dict[str, float]:
        top, bottom, left, right = bars(view.small)
        height, width = view.small.shape[:2]
        share = 1 - (height - top - bottom) * (width - left - right) / (height * width)
        a_thing = share > FRAME and top + bottom > 0 and left + right > 0
        return {"borders": 0.0 if a_thing else share}

    def judge(self, batch: Batch) -> dict[str, Reason]:
        return {
            r.id: Reason("borders", f"bars take {r.quality['borders']:.0%} of it; at most {self.most:.0%} may be")
            for r in batch.records
            if r.quality["borders"] > self.most
        }


Sides = tuple[int, int, int, int]
"""lines at the top, at the bottom, at the left and at the right"""


def bars(pixels: Pixels) -> Sides:
    """How thick the bars are that end straight; 0 where there is none."""
    lines = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    masks = [None if mask is None else side(mask, at) for at, mask in enumerate(masks_of(pixels, lines))]
    top, bottom, left, right = (0 if mask is None else leading(mask) for mask in masks)
    height, width = pixels.shape[:2]
    if top + bottom >= height or left + right >= width:  # one colour all over, or one that hardly changes
        return 0, 0, 0, 0
    while any(found := (top, bottom, left, right)):  # where one side's is no bar, the next one's has to be longer
        across, down = slice(left, width - right), slice(top, height - bottom)
        ends = zip(masks, found, (across, across, down, down), strict=True)
        top, bottom, left, right = (0 if mask is None else straight(mask[:, within], n) for mask, n, within in ends)
        if (top, bottom, left, right) == found:
            break
    return found


def side(mask: Mask, at: int) -> Mask:
    """The mask turned so that the side at that place of `Sides` is on top."""
    return (mask, mask[::-1], mask.T, mask.T[::-1])[at]


def masks_of(pixels: Pixels, lines: Sequence[Pixels]) -> list[Mask | None]:
    """For each line at the edge, which pixels are not of its colour; None where it is not of one colour."""
    made: dict[bytes, Mask] = {}  # mostly all are of the same
    masks = []
    for line in lines:
        colour = np.median(line, axis=0).astype(np.uint8)
        even = differing(line, colour).mean() <= STRAY
        if even and colour.tobytes() not in made:
            made[colour.tobytes()] = differing(pixels, colour)
        masks.append(made[colour.tobytes()] if even else None)
    return masks


def differing(pixels: Pixels, colour: NDArray[np.uint8]) -> Mask:
    """Which pixels are further than ``SAME`` from a colour in any channel."""
    found: Mask = np.zeros(pixels.shape[:-1], bool)
    for channel, value in enumerate(colour.tolist()):
        plane = np.ascontiguousarray(pixels[..., channel])
        low, high = max(value - SAME, 0), min(value + SAME, 255)
        found |= plane - np.uint8(low) > high - low  # below ``low`` it wraps to a large number
    return found


def leading(mask: Mask) -> int:
    """How many lines of the mask's top are a bar."""
    others: list[int] = np.flatnonzero(mask.mean(1) > STRAY).tolist()
    count = others[0] if others else len(mask)
    return count if count >= max(2, THIN * len(mask)) else 0


def straight(mask: Mask, end: int) -> int:
    """``end`` if the picture fills the lines right behind a bar of so many, to both ends; else 0."""
    if end == 0:
        return 0
    filled: Mask = np.asarray(mask[end : end + SOFT].any(0))
    corner = max(1, round(CORNER * len(filled)))
    return end if min(filled.mean(), filled[:corner].mean(), filled[-corner:].mean()) >= FULL else 0
