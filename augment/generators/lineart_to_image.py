"""Draw a picture anew along its own lines: line art of it, then a base model that a ControlNet holds to the lines."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated

import numpy as np
from pydantic import BeforeValidator, Field

from augment import models
from augment.generator import Parent
from augment.generators.lineart import Lineart
from augment.maker import Made
from augment.painter import Painter
from core.hashing import digest
from core.pixels import Pixels


def without_kind(value: object) -> object:
    """The keys alone: whoever writes the kind too, as everywhere else, means the same."""
    if value == "lineart":
        return {}
    if isinstance(value, Mapping) and value.get("kind") == "lineart":
        return {key: item for key, item in value.items() if key != "kind"}
    return value


class LineartToImage(Painter):
    """Shapes stay where they are, colours and texture follow the caption. Lines are looked for in the base's own size,
    as ControlNets are trained. A picture without lines is refused.
    """

    controlnet: str
    """a diffusers folder with a ControlNet for line art, of the base's architecture (config.json, safetensors)"""
    lines: Annotated[Lineart, BeforeValidator(without_kind)] = Lineart()
    """how the lines are found: the keys of the generator `lineart`, such as `{detector: canny}`"""
    scale: float = Field(1.0, ge=0, le=2)
    """how much the lines count: 0 leaves them out, 1 is as the ControlNet was trained"""

    version = 2

    @cached_property
    def material(self) -> str:
        from backbones.control import fingerprint_of_control

        return digest(super().material, fingerprint_of_control(self.controlnet), self.lines.material)

    def generate(self, batch: Sequence[Parent], rngs: Sequence[np.random.Generator]) -> list[Made]:
        return [self.redrawn(image, text, rng) for (_, image, text), rng in zip(batch, rngs, strict=True)]

    def redrawn(self, image: Pixels, caption: str, rng: np.random.Generator) -> Made:
        """One picture of one parent."""
        from backbones.encoding import fit
        from backbones.redrawing import native_size

        height, width = image.shape[:2]
        fitted = fit(image, *native_size(self.model, width, height))
        drawing = self.lines.drawing(fitted, int(rng.integers(2**32)))
        seed = int(rng.integers(2**63))
        drawn = {**drawing.drawn, "scale": self.scale, **self.sampled(seed)}
        if drawing.refused is not None:
            return Made(drawing.pixels, drawn, drawing.refused)
        (pixels,) = models.control(self.controlnet).draw(
            self.model,
            [255 - drawing.pixels],  # light on dark, as they are trained
            [caption],
            [seed],
            scale=self.scale,
            steps=self.steps,
            guidance=self.guidance,
            negative=self.negative,
        )
        return Made(pixels, drawn)
