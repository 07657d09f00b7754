"""Redraw a picture as black lines on white, with controlnet_aux's standard line detector (it needs no weights)."""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from pydantic import Field

from augment.detectors import detected, loaded
from augment.generator import Generator, Parent
from augment.maker import Made
from augment.wording import with_tag, without_colours
from core.pixels import Pixels
from core.record import Reason, Value

GROUND = re.compile(r",?\s*\b(?:on|against)\s+(?:an?\s+|the\s+)?[\w -]*background\b", re.I)


class Lineart(Generator):
    """A picture without lines, such as a flat colour, is refused and not tried again."""

    sigma: float = Field(6.0, gt=0)
    """pixels at ``resolution``; wider lines with larger values"""
    threshold: int = Field(8, ge=0, le=255)
    """darker than the surroundings by this much counts when the line's strength is measured"""
    resolution: int = Field(512, ge=64, multiple_of=64)
    """short side at which lines are looked for"""
    least_ink: float = Field(0.002, ge=0, le=1)
    """share of the area that has to be inked, or there was nothing to draw"""

    @cached_property
    def detector(self) -> Any:
        """Loaded at first use."""
        return loaded("LineartStandardDetector")

    @property
    def variety(self) -> int:
        return 1

    def generate(self, batch: Sequence[Parent], rngs: Sequence[np.random.Generator]) -> list[Made]:
        return [self.drawing(image, int(rng.integers(2**32))) for (_, image, _), rng in zip(batch, rngs, strict=True)]

    def drawing(self, image: Pixels, seed: int) -> Made:
        """The line drawing of one picture."""
        settings = {"guassian_sigma": self.sigma, "intensity_threshold": self.threshold}  # its spelling
        light = detected(self.detector, image, seed, detect_resolution=self.resolution, **settings)
        ink = float((light.max(-1) > 64).mean())
        flat = Reason("no_lines", f"only {ink:.2%} of it are lines: there is nothing to draw")
        return Made(255 - light, {"ink": ink}, flat if ink < self.least_ink else None)

    def caption(self, text: str, drawn: Mapping[str, Value]) -> str:  # noqa: ARG002
        return with_tag(with_tag(without_colours(GROUND.sub("", text)), "monochrome"), "line art")
