"""From what is asked for to records and pictures: each block makes its own, and what is of no use gets a reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from augment.acceptance import Inspector
from augment.generator import Generator
from augment.maker import Made
from augment.plan import Wanted, imagines
from augment.png import png_of
from augment.transform import Transform
from backbones.embedding import Embedder
from core.cache import Array
from core.hashing import sha256_of
from core.pixels import Pixels, Read
from core.record import Reason, Record
from core.seeding import generator
from store.carried import Carried
from store.image import Image


@dataclass(frozen=True, slots=True)
class Workshop:
    """What making pictures needs beside the blocks."""

    read: Read
    clip: str
    """the CLIP that compares; empty where no block needs it"""
    cache: Carried
    """of the pictures' vectors"""
    inspector: Inspector | None

    @property
    def eyes(self) -> Embedder | None:
        """What compares, if a block needs it."""
        return Embedder.named(self.clip, self.cache) if self.clip else None

    def __call__(self, items: Sequence[Wanted]) -> tuple[list[tuple[Record, Image]], Mapping[str, Array]]:
        """The work of an engine: what is asked for, in that order, and the vectors that the store does not have yet."""
        return self.made_of(items), self.cache.taken()

    def made_of(self, items: Sequence[Wanted]) -> list[tuple[Record, Image]]:
        """Records and pictures of what is asked for, in that order; copies are not told from others yet."""
        parents = {item.parent.id: item.parent for item in items}
        pictures = {key: self.read(parent) for key, parent in parents.items()}
        done = [
            self._finished(item, what, pictures[item.parent.id])
            for item, what in zip(items, pixels_of(items, pictures), strict=True)
        ]
        self._looked_at(items, [record for record, _, _ in done], {record.id: pixels for record, _, pixels in done})
        return [(record, image) for record, image, _ in done]

    def _finished(self, item: Wanted, what: Made, before: Pixels) -> tuple[Record, Image, Pixels]:
        data = png_of(what.pixels)
        height, width = what.pixels.shape[:2]
        image = Image(sha256_of(data), data, "image/png", width, height)
        parent = item.parent
        record = parent.derive(
            item.block, sha256=image.sha256, seed=item.seed, drawn=what.drawn, width=width, height=height
        )
        reason = what.refused
        if reason is None and np.array_equal(what.pixels, before):
            reason = Reason("unchanged", f"{item.block.kind} changed nothing: the picture equals its parent")
        quality = self.inspector.measure(what.pixels, before) if imagines(item.block) and self.inspector else {}
        record = replace(record, size=len(data), quality=quality)
        return record if reason is None else record.refuse(reason), image, what.pixels

    def _looked_at(self, items: Sequence[Wanted], records: Sequence[Record], pixels: Mapping[str, Pixels]) -> None:
        """Vectors of what will be compared are made now, while its pixels are here."""
        alike = [
            record
            for item, record in zip(items, records, strict=True)
            if isinstance(item.block, Generator) and item.block.resembles
        ]
        if alike:
            assert self.eyes is not None, "no block needs it, and yet one does"
            self.eyes.pictures(alike, lambda record: pixels[record.id])


def told_apart(items: Sequence[Wanted], made: Sequence[Record], seen: set[tuple[str, str]]) -> list[Record]:
    """The records, those refused whose picture there is already of the same real one.

    ``seen``: (real picture, hash) of what is there and of use; added to.
    """
    found: list[Record] = []
    for item, record in zip(items, made, strict=True):
        here = (item.start.root.id, record.sha256)
        if not record.reasons and here in seen:
            words = f"{item.block.kind} made a picture that there is already of the same real one"
            record = record.refuse(Reason("copy", words))
        seen.add(here)
        found.append(record)
    return found


def pixels_of(items: Sequence[Wanted], pictures: Mapping[str, Pixels]) -> list[Made]:
    """What the blocks make, in the order of ``items``; a generator gets all of its own at once."""
    found: dict[int, Made] = {}
    for print_, block in {item.block.fingerprint: item.block for item in items}.items():
        places = [at for at, item in enumerate(items) if item.block.fingerprint == print_]
        mine = [items[at] for at in places]
        rngs = [generator(item.parent.id, print_, item.seed) for item in mine]
        if isinstance(block, Generator):
            batch = [(item.parent, pictures[item.parent.id], item.caption) for item in mine]
            made = block.generate(batch, rngs)
        else:
            assert isinstance(block, Transform), f"{block.kind} is neither a transform nor a generator"
            made = [
                block.apply_to(pictures[item.parent.id], item.caption, rng)
                for item, rng in zip(mine, rngs, strict=True)
            ]
        found.update(zip(places, made, strict=True))
    return [found[at] for at in range(len(items))]
