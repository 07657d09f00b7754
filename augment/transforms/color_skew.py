"""Shift saturation, hue and the tone of each channel; black lines stay black and white grounds white."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from augment.library import functional
from augment.maker import Made
from augment.palette import colours
from augment.transform import Transform
from augment.wording import with_tag, without_colours
from core.pixels import Pixels
from core.record import Value


def _ordered(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError(f"the lower end {span[0]} is above the upper end {span[1]}")
    return span


Span = Annotated[tuple[float, float], AfterValidator(_ordered)]


DRAWN = ("saturation", "hue", "low_red", "low_green", "low_blue", "high_red", "high_green", "high_blue")
STRAIGHT = np.array([[1 / 3], [2 / 3]])
"""heights of a tone curve's two control points at which it is a straight line"""
PALE = 0.3
"""factor of saturation below which words for colours are no longer true"""


class ColorSkew(Transform):
    """What is drawn, independently of each other:

    - ``saturation``: a factor, log-uniform between the two ends, so that halving is as likely as doubling
    - ``hue``: degrees, uniform between the two ends
    - ``low_*`` and ``high_*`` of red, green, blue: how far the channel's tone curve is pulled in the shadows and in
      the lights, normal with standard deviation ``channels``, cut off at twice that; 0.1 is plainly visible
    """

    saturation: Annotated[Span, Field(description="factors, 1 is unchanged")] = (0.7, 1.4)
    hue: Annotated[Span, Field(description="degrees, 0 is unchanged")] = (-12.0, 12.0)
    channels: float = Field(0.06, ge=0, le=0.3)
    names_survive: float = Field(20.0, ge=0)
    """degrees of hue up to which "red" is still red, and the caption keeps its words for colours; beyond, or where the
    saturation is below 0.3, it gets those that are true of the pixels, or "monochrome" """

    def model_post_init(self, _: object) -> None:
        """Refuse what would turn colours inside out."""
        if self.saturation[0] <= 0:
            raise ValueError("saturation: factors must be above 0; for none at all use black_and_white")
        if max(map(abs, self.hue)) > 180:
            raise ValueError("hue: degrees must lie between -180 and 180")

    def apply(self, image: Pixels, rng: np.random.Generator) -> Made:
        low, high = self.saturation
        saturation = low * (high / low) ** rng.random()
        hue = rng.uniform(*self.hue)
        pulled = self.channels * rng.standard_normal((2, 3)).clip(-2, 2)
        pixel = functional("pixel")
        changed = pixel.adjust_saturation_torchvision(image, saturation)
        changed = pixel.adjust_hue_torchvision(changed, hue / 360)
        shadows, lights = (pulled + STRAIGHT).clip(0, 1)
        changed = pixel.move_tone_curve(changed, shadows, lights)
        drawn: dict[str, Value] = dict(zip(DRAWN, (saturation, hue, *pulled.ravel().tolist()), strict=True))
        if self._renames(drawn):
            seen = colours(changed)
            if seen != []:
                drawn["colours"] = "monochrome" if seen is None else " and ".join(seen)
        return Made(changed, drawn)

    def _renames(self, drawn: Mapping[str, Value]) -> bool:
        hue, saturation = drawn["hue"], drawn.get("saturation", 1.0)
        assert isinstance(hue, float)
        assert isinstance(saturation, float)
        return abs(hue) > self.names_survive or saturation < PALE

    def caption(self, text: str, drawn: Mapping[str, Value]) -> str:
        if not self._renames(drawn):
            return text
        left, seen = without_colours(text), str(drawn.get("colours", ""))
        return with_tag(left, seen) if seen == "monochrome" or (seen and left != text) else left
