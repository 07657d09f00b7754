"""Draw a picture anew with a base model, by its own caption: near to it at low strength, freer at high strength."""

from collections.abc import Sequence

import numpy as np

from augment.generator import Parent
from augment.maker import Made
from augment.painter import Painter
from core.pixels import Pixels


class Img2img(Painter):
    """SDEdit. The picture comes out in the base's own size, in its parent's shape. `copies` gives several seeds."""

    strength: tuple[float, float] = (0.25, 0.45)
    """a number between the two ends is drawn for each copy: 0 keeps the picture, 1 keeps nothing of it"""

    def model_post_init(self, _: object) -> None:
        """Refuse strengths that are no share of the way."""
        if not 0 < self.strength[0] <= self.strength[1] <= 1:
            raise ValueError(f"strength: two shares with 0 < low <= high <= 1, not {self.strength}")

    def generate(self, batch: Sequence[Parent], rngs: Sequence[np.random.Generator]) -> list[Made]:
        return [self.redrawn(image, text, rng) for (_, image, text), rng in zip(batch, rngs, strict=True)]

    def redrawn(self, image: Pixels, caption: str, rng: np.random.Generator) -> Made:
        """One picture of one parent."""
        from backbones.redrawing import redraw

        strength, seed = float(rng.uniform(*self.strength)), int(rng.integers(2**63))
        pixels = redraw(
            self.model,
            image,
            caption,
            seed,
            strength=strength,
            steps=self.steps,
            guidance=self.guidance,
            negative=self.negative,
        )
        return Made(pixels, {"strength": strength, **self.sampled(seed)})
