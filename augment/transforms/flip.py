"""Mirror left and right. Not for text, nor for captions that say left or right."""

import re

import numpy as np

from augment.library import functional
from augment.maker import Made
from augment.transform import Transform
from core.pixels import Pixels
from core.record import Record

SIDED = re.compile(
    r"\b(left|right|clockwise|counter-?clockwise|anti-?clockwise|east|west|text|word|words|letter|letters|number|numbers"
    r"|digit|digits|numeral|writing|written|handwriting|lettering|alphabet|logo|sign|signs|flag|flags|map|clock|watch"
    r"|calendar|book|books|newspaper|keyboard|label|button|abc|abcd)\b|\d",
    re.I,
)
"""what is wrong, or another thing, in a mirror"""


class Flip(Transform):
    """Every suitable picture once; ``unless`` adds words to those that keep a picture from being mirrored."""

    unless: tuple[str, ...] = ()

    @property
    def variety(self) -> int:
        return 1

    def suits(self, record: Record, caption: str) -> bool:
        said = " ".join((caption, *record.tags))
        own = any(re.search(rf"\b{re.escape(word)}\b", said, re.I) for word in self.unless)
        return not own and not SIDED.search(said)

    def apply(self, image: Pixels, rng: np.random.Generator) -> Made:  # noqa: ARG002
        return Made(np.ascontiguousarray(functional("geometric").hflip(image)))
