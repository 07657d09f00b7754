"""Aspect-ratio buckets: the `train.buckets:` part of a recipe. Each picture goes to the size that cuts least of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from core.errors import RecipeError

Size = tuple[int, int]
"""width and height in pixels"""


class Buckets(BaseModel):
    """Sizes of about the resolution's area, so that pictures keep their shape. No picture is ever left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int | None = Field(default=None, ge=8)
    """sides are multiples of it, in pixels; null: what the base halves down to 1 (64 for Stable Diffusion)"""
    min_side: int | None = Field(default=None, ge=8)
    """pixels; null: half of the resolution"""
    max_side: int | None = Field(default=None, ge=8)
    """pixels; null: twice the resolution"""
    upscale: bool = True
    """false: a picture smaller than its size is not enlarged, but goes to a smaller size of its own"""

    def sizes(self, resolution: int, grain: int) -> list[Size]:
        """All sizes there are; ``grain``: multiples of it in pixels suit the network. Narrow ones come first."""
        step = self.step or grain
        low, high = self.min_side or resolution // 2, self.max_side or 2 * resolution
        first, last = -(-low // step), high // step
        sides = [step * n for n in range(max(1, first), last + 1)]
        fitting = {
            (width, min(resolution * resolution // width // step * step, sides[-1]))
            for width in sides
            if resolution * resolution // width // step * step >= sides[0]
        }
        both = fitting | {(height, width) for width, height in fitting}
        if not both:
            raise RecipeError(
                f"train.buckets: there is no size with sides from {low} to {high} pixels in steps of {step} and about "
                f"the area of {resolution}x{resolution}; a smaller step or min_side, or a larger max_side makes some"
            )
        return sorted(both)

    def size_of(self, picture: Size, sizes: Sequence[Size]) -> Size:
        """Where one picture goes: the size that cuts least of it, of several the largest."""
        best = min(sizes, key=lambda size: (round(cut(picture, size), 9), -size[0] * size[1], size))
        if self.upscale or (picture[0] >= best[0] and picture[1] >= best[1]):
            return best
        step = math.gcd(*(side for size in sizes for side in size))
        width, height = (max(step, side // step * step) for side in picture)
        return min(width, best[0]), min(height, best[1])


@dataclass(frozen=True, slots=True)
class Bucket:
    """One size and what goes there."""

    size: Size
    pictures: int
    cut: float
    """mean share of the pictures' area that is cut away"""


def cut(picture: Size, size: Size) -> float:
    """Share of a picture's area that is cut away where it is scaled to cover ``size``."""
    one, other = picture[0] / picture[1], size[0] / size[1]
    return 1 - min(one, other) / max(one, other)


def planned(
    pictures: Mapping[str, Size], buckets: Buckets | None, resolution: int, grain: int
) -> tuple[dict[str, Size], list[Bucket]]:
    """The size of each picture by its name, and the plan of them all; without ``buckets`` every one is square."""
    if buckets is None:
        chosen = dict.fromkeys(pictures, (resolution, resolution))
    else:
        sizes = buckets.sizes(resolution, grain)
        chosen = {name: buckets.size_of(picture, sizes) for name, picture in pictures.items()}
    counts = Counter(chosen.values())
    lost: Counter[Size] = Counter()
    for name, size in chosen.items():
        lost[size] += cut(pictures[name], size)  # type: ignore[assignment]
    return chosen, [Bucket(size, counts[size], lost[size] / counts[size]) for size in sorted(counts)]


def told(plan: Sequence[Bucket]) -> list[str]:
    """The plan in words, a line for each size."""
    lines = [
        f"  {f'{width}x{height}':>10}  {bucket.pictures:>6}  {bucket.cut:>7.1%}"
        for bucket in plan
        for width, height in [bucket.size]
    ]
    return ["sizes (pixels, pictures, cut away on average); every picture is used", *lines]
