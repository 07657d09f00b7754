"""Mirror left and right. Not for text, captions that say left or right, nor things that have a side of their own."""

import re

import numpy as np

from augment.library import functional
from augment.maker import Made
from augment.transform import Transform
from core.pixels import Pixels
from core.record import Record

SIDES = "left right clockwise counter-?clockwise anti-?clockwise east west eastern western"
WRITING = """
text word words letter letters number numbers digit digits numeral writing written handwriting handwritten lettering
alphabet abc abcd logo sign signs signature watermark label button caption subtitles graffiti poster placard banner
calendar book books newspaper magazine keyboard typewriter receipt ticket stamp passport menu barcode scoreboard
banknote banknotes money dollar euro pound yen coin coins credit.card identification.card license.plate number.plate
ambulance taxi police.car question.mark percent
"""
OWN_SIDE = """
flag flags map maps globe earth clock clocks watch compass crescent half.moon quarter.moon treble.clef bass.clef
musical.note musical.notes guitar guitars violin violins cello saxophone piano pianos scissors screw steering.wheel
dashboard salute saluting handshake
"""
SIDED = re.compile(rf"\b(?:{'|'.join(f'{SIDES} {WRITING} {OWN_SIDE}'.split())})\b|\d", re.I)
"""what is wrong, or another thing, in a mirror; a dot stands for the space within a name"""


class Flip(Transform):
    """Every suitable picture once. ``unless`` adds words to those that keep a picture from being mirrored: name there
    what has a side of its own in your pictures, such as a person whose parting or mole should stay where it is.
    """

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
