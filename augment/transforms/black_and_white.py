"""Take all colour out; the caption loses its words for colours and says "monochrome"."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import Field

from augment.library import functional
from augment.maker import Made
from augment.transform import Transform
from augment.wording import with_tag, without_colours
from core.pixels import Pixels
from core.record import Value

Method = Literal["weighted_average", "from_lab", "desaturation", "average", "max", "pca"]


class BlackAndWhite(Transform):
    """``methods`` are albumentations' ToGray's; one is drawn for each copy. ``pca`` may turn light into dark."""

    methods: tuple[Method, ...] = Field(("weighted_average",), min_length=1)

    @property
    def variety(self) -> int:
        return len(set(self.methods))

    def apply(self, image: Pixels, rng: np.random.Generator) -> Made:
        method = self.methods[rng.integers(len(self.methods))]
        grey = functional("pixel").to_gray(image, 3, method)
        if grey.shape != image.shape:  # a single pixel loses its axes
            grey = np.resize(grey, image.shape)
        return Made(grey, {"method": method})

    def caption(self, text: str, drawn: Mapping[str, Value]) -> str:  # noqa: ARG002
        return with_tag(without_colours(text), "monochrome")
