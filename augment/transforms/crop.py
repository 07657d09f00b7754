"""Cut a part out: from the centre, from anywhere, in several sizes, or around what is most detailed or the subject."""

from collections.abc import Mapping
from functools import cached_property
from typing import Literal

import numpy as np
from pydantic import Field

from augment import models
from augment.library import functional
from augment.maker import Made
from augment.relevance import LOOK, best_place, detail, subject
from augment.transform import Transform
from augment.wording import detail_of
from core.hashing import digest
from core.pixels import Pixels
from core.record import Record, Value


class Crop(Transform):
    """The picture's shape stays. Where less than ``whole`` of it is left, the caption says "a detail of"."""

    where: Literal["center", "random", "multi", "detail", "subject"] = "random"
    """``center``: around the centre; ``random``: anywhere, each place as likely; ``multi``: the smallest, the middle or
    the largest size, in a corner, at the middle of a side, or in the centre; ``detail``: where brightness changes the
    most; ``subject``: the part that to CLIP fits the caption and stands for the whole picture the most"""
    size: tuple[float, float] = (0.6, 0.85)
    """share of each side that is kept: a number between the two ends is drawn, each as likely"""
    smallest: int = Field(32, ge=1)
    """pixels; no side of a crop is shorter, and pictures that are too small for that are left alone"""
    whole: float = Field(0.75, gt=0, le=1)
    """from this share of the area on it still shows the whole thing, and the caption stays as it is"""
    clip: str = "pocket"
    """which CLIP looks for the ``subject``: `pocket`, `local-dir:FOLDER` or `MODEL:FILE`"""

    def model_post_init(self, _: object) -> None:
        """Refuse sizes that are no share of a side, and a CLIP that nobody asks."""
        if not 0 < self.size[0] <= self.size[1] <= 1:
            raise ValueError(f"size: two shares with 0 < low <= high <= 1, not {self.size}")
        if self.clip != "pocket" and self.where != "subject":
            raise ValueError(f"clip: only `where: subject` asks a CLIP, not `where: {self.where}`")

    @cached_property
    def material(self) -> str:
        if self.where != "subject":
            return ""
        from backbones.clip_files import fingerprint_of

        return digest(fingerprint_of(self.clip), LOOK)

    def check(self) -> None:
        assert self.material is not None  # a missing CLIP is told

    @property
    def variety(self) -> int | None:
        drawn = self.where in ("random", "multi") or self.size[0] < self.size[1]
        return None if drawn else 1

    def suits(self, record: Record, caption: str) -> bool:  # noqa: ARG002
        return min(record.width, record.height) * self.size[0] >= self.smallest

    def apply(self, image: Pixels, rng: np.random.Generator) -> Made:
        return self.apply_to(image, "", rng)

    def apply_to(self, image: Pixels, caption: str, rng: np.random.Generator) -> Made:
        height, width = image.shape[:2]
        low, high = self.size
        if self.where == "multi":
            share = float((low, (low + high) / 2, high)[rng.integers(3)])
            right, down = (float(place) / 2 for place in rng.integers(3, size=2))
        else:
            share = float(rng.uniform(low, high))
            right, down = map(float, rng.random(2)) if self.where == "random" else (0.5, 0.5)
        wide, tall = (min(side, max(self.smallest, round(side * share))) for side in (width, height))
        x, y = round((width - wide) * right), round((height - tall) * down)
        if self.where == "detail":
            x, y = best_place(detail(image), width, height, wide, tall)
        if self.where == "subject":
            x, y = subject(image, caption, models.clip(self.clip), wide, tall)
        part = np.ascontiguousarray(functional("crops").crop(image, x, y, x + wide, y + tall))
        area = wide * tall / (width * height)
        return Made(part, {"x": x, "y": y, "width": wide, "height": tall, "area": area, "where": self.where})

    def caption(self, text: str, drawn: Mapping[str, Value]) -> str:
        area = drawn["area"]
        assert isinstance(area, float)
        return text if area >= self.whole else detail_of(text)
