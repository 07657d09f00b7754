"""Redraw a picture as black lines on white, with one of controlnet_aux's detectors; two of them need no weights."""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import Field

from augment.detectors import LEARNED, detected, loaded, weights_files
from augment.generator import Generator, Parent
from augment.maker import Made
from augment.wording import with_tag, without_colours
from core.hashing import digest, sha256_of_file
from core.pixels import Pixels
from core.record import Reason, Value

GROUND = re.compile(r",?\s*\b(?:on|against)\s+(?:an?\s+|the\s+)?[\w -]*background\b", re.I)


class Lineart(Generator):
    """A picture without lines, such as a flat colour, is refused and not tried again."""

    detector: Literal["lineart_standard", "canny", "lineart", "lineart_anime", "hed", "pidi", "teed"] = (
        "lineart_standard"
    )
    """who finds the lines; all but `lineart_standard` and `canny` are learned and need their ``weights``"""
    weights: str = ""
    """folder with the weights of a learned detector, under the names that they are published with"""
    sigma: float = Field(6.0, gt=0)
    """of `lineart_standard`: pixels at ``resolution``; wider lines with larger values"""
    threshold: int = Field(8, ge=0, le=255)
    """of `lineart_standard`: darker than the surroundings by this much counts when a line's strength is measured"""
    low: int = Field(100, ge=0)
    """of `canny`: an edge goes on while its gradient is above this"""
    high: int = Field(200, ge=0)
    """of `canny`: an edge begins where its gradient is above this"""
    resolution: int = Field(512, ge=64, multiple_of=64)
    """pixels of the short side at which lines are looked for; `canny` enlarges nothing, since that blurs edges away"""
    least_ink: float = Field(0.002, ge=0, le=1)
    """share of the area that has to be inked, or there was nothing to draw"""

    def model_post_init(self, _: object) -> None:
        """Refuse keys that the chosen detector does not listen to."""
        learned = self.detector in LEARNED
        heard = {"sigma": self.detector == "lineart_standard", "low": self.detector == "canny", "weights": learned}
        heard |= {"threshold": heard["sigma"], "high": heard["low"]}
        for key, used in heard.items():
            if not used and getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key}: the detector {self.detector} has no such setting")

    @cached_property
    def material(self) -> str:
        if self.detector not in LEARNED:
            return ""
        return digest([sha256_of_file(file) for file in weights_files(self.detector, self.weights)])

    def check(self) -> None:
        assert self.material is not None  # missing weights are told

    @cached_property
    def _detector(self) -> Any:
        return loaded(self.detector, self.weights)

    def _settings(self, image: Pixels) -> dict[str, object]:
        own: dict[str, dict[str, object]] = {
            "lineart_standard": {"guassian_sigma": self.sigma, "intensity_threshold": self.threshold},  # its spelling
            "canny": {"low_threshold": self.low, "high_threshold": self.high},
        }
        own_size = max(64, min(image.shape[:2]) // 64 * 64)
        side = min(self.resolution, own_size) if self.detector == "canny" else self.resolution
        return {"detect_resolution": side, **own.get(self.detector, {})}

    @property
    def variety(self) -> int:
        return 1

    def generate(self, batch: Sequence[Parent], rngs: Sequence[np.random.Generator]) -> list[Made]:
        return [self.drawing(image, int(rng.integers(2**32))) for (_, image, _), rng in zip(batch, rngs, strict=True)]

    def drawing(self, image: Pixels, seed: int) -> Made:
        """The line drawing of one picture."""
        light = detected(self._detector, image, seed, **self._settings(image))
        ink = float((light.max(-1) > 64).mean())
        flat = Reason("no_lines", f"only {ink:.2%} of it are lines: there is nothing to draw")
        return Made(255 - light, {"ink": ink}, flat if ink < self.least_ink else None)

    def caption(self, text: str, drawn: Mapping[str, Value]) -> str:  # noqa: ARG002
        return with_tag(with_tag(without_colours(GROUND.sub("", text)), "monochrome"), "line art")
