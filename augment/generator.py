"""The contract of a generator: a batch of pictures in, one new picture for each."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from augment.maker import Made, Maker
from core.pixels import Pixels
from core.record import Record

Parent = tuple[Record, Pixels, str]
"""a training picture and its caption"""


class Generator(Maker, family="augment.generators"):
    """Works on many at a time because what it loads is heavy; each picture still depends on its own ``rng`` only."""

    @property
    def imagines(self) -> bool:
        """Whether a model drew it, so that it has to pass the quality filters of real pictures."""
        return False

    @property
    def resembles(self) -> bool:
        """Whether it has to show what its parent shows, so that the two are compared (`augment.acceptance`)."""
        return self.imagines

    @abstractmethod
    def generate(self, batch: Sequence[Parent], rngs: Sequence[np.random.Generator]) -> list[Made]:
        """One picture per parent, in order; the same whatever else is in the batch."""
