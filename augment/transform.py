"""The contract of a transform: one picture in, one changed picture out."""

from abc import abstractmethod

import numpy as np

from augment.maker import Made, Maker
from core.pixels import Pixels


class Transform(Maker, family="augment.transforms"):
    """Draws its parameters from ``rng``, says them in ``Made.drawn``, and leaves its input as it was."""

    @abstractmethod
    def apply(self, image: Pixels, rng: np.random.Generator) -> Made: ...

    def apply_to(self, image: Pixels, caption: str, rng: np.random.Generator) -> Made:  # noqa: ARG002
        """The same, for kinds that look at what is said of the picture."""
        return self.apply(image, rng)
