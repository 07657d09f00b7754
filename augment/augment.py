"""The stage: every training picture through every block, once; derived records with lineage, pictures and captions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from augment.generator import Generator
from augment.maker import Made
from augment.plan import Wanted, balanced, follow, plan
from augment.png import png_of
from augment.transform import Transform
from core.caption import Caption
from core.hashing import digest, sha256_of
from core.pixels import Pixels, Read
from core.progress import report
from core.record import Reason, Record
from core.seeding import generator
from store.image import Image
from store.store import Store

SHARD = 64
"""pictures after which what was made is put away, so that a run that is killed goes on from there"""


@dataclass(frozen=True, slots=True)
class Augmented:
    """How many derived pictures there are of each kind."""

    made: int
    unchanged: int
    """were there already, or came back: nothing was computed for them"""
    removed: int
    """no longer asked for, or without their parent; their rows and pictures stay"""
    refused: int
    """made, but of no use, with the reason in the row; not tried again"""


def augment(
    store: Store,
    blocks: Sequence[Transform | Generator],
    copies: int,
    seed: int,
    read: Read,
    *,
    share: float = 0.5,
) -> Augmented:
    """Bring the derived records in line with the training pictures, the blocks, ``copies`` of each, and ``seed``.

    Parents are kept, real pictures on the training side. Derived pictures are drawn less often where they would be
    more than ``share`` of what training sees.
    """
    assert 0 <= share <= 1, f"share must lie between 0 and 1, not {share}"
    records = store.records()
    captions = {record: caption.text for record, caption in store.captions().items()}
    wanted = plan(records, captions, blocks, copies, seed)
    known = {record.id: record for record in records if record.depth > 0}
    missing = [item for key, item in wanted.items() if key not in known]
    seen = {(r.parent, r.sha256) for r in known.values() if r.id in wanted and not r.reasons}
    fresh: list[Record] = []
    for start in range(0, len(missing), SHARD):
        report("augmenting", start, len(missing))
        made = made_of(missing[start : start + SHARD], read, seen)
        store.put_images(image for _, image in made)
        store.put_records(record for record, _ in made)
        fresh += [record for record, _ in made]
    report("augmenting", len(missing), len(missing))
    known.update({record.id: record for record in fresh})
    derived = balanced([follow(record, wanted.get(record.id)) for record in known.values()], records, share)
    store.put_records(derived)
    store.put_captions(caption_of(record, wanted[record.id]) for record in derived if record.id in wanted)
    return Augmented(
        made=sum(not record.reasons for record in fresh),
        unchanged=sum(record.verdict == "kept" for record in derived) - sum(not record.reasons for record in fresh),
        removed=sum(record.verdict == "removed" for record in derived),
        refused=sum(record.verdict == "refused" for record in derived),
    )


def made_of(items: Sequence[Wanted], read: Read, seen: set[tuple[str, str]]) -> list[tuple[Record, Image]]:
    """Records and pictures of what is asked for. ``seen`` holds (parent, picture) and is added to."""
    parents = {item.parent.id: item.parent for item in items}
    pictures = {key: read(parent) for key, parent in parents.items()}
    made: list[tuple[Record, Image]] = []
    for item, what in zip(items, pixels_of(items, pictures), strict=True):
        data = png_of(what.pixels)
        height, width = what.pixels.shape[:2]
        image = Image(sha256_of(data), data, "image/png", width, height)
        parent = item.parent
        record = parent.derive(
            item.block, sha256=image.sha256, seed=item.seed, drawn=what.drawn, width=width, height=height
        )
        reason = what.refused
        if reason is None and np.array_equal(what.pixels, pictures[parent.id]):
            reason = Reason("unchanged", f"{item.block.kind} changed nothing: the picture equals its parent")
        if reason is None and (parent.id, image.sha256) in seen:
            reason = Reason("copy", f"{item.block.kind} made the same picture as another copy of this parent")
        seen.add((parent.id, image.sha256))
        record = replace(record, size=len(data))
        made.append((record if reason is None else record.refuse(reason), image))
    return made


def pixels_of(items: Sequence[Wanted], pictures: Mapping[str, Pixels]) -> list[Made]:
    """What the blocks make, in the order of ``items``; a generator gets all of its own at once."""
    found: dict[int, Made] = {}
    for block in {item.block.fingerprint: item.block for item in items}.values():
        places = [at for at, item in enumerate(items) if item.block.fingerprint == block.fingerprint]
        mine = [items[at] for at in places]
        rngs = [generator(item.parent.id, block.fingerprint, item.seed) for item in mine]
        if isinstance(block, Generator):
            batch = [(item.parent, pictures[item.parent.id], item.caption) for item in mine]
            made = block.generate(batch, rngs)
        else:
            assert isinstance(block, Transform), f"{block.kind} is neither a transform nor a generator"
            made = [block.apply(pictures[item.parent.id], rng) for item, rng in zip(mine, rngs, strict=True)]
        found.update(zip(places, made, strict=True))
    return [found[at] for at in range(len(items))]


def caption_of(record: Record, item: Wanted) -> Caption:
    """The parent's caption, made true of the derived picture; another caption of the parent is another key."""
    text = item.block.caption(item.caption, record.drawn)
    return Caption(record.id, text, engine=f"{item.block.fingerprint}-{digest(item.caption, length=8)}")
