"""The stage: every training picture through every block, once; derived records with lineage, pictures and captions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from augment import models
from augment.acceptance import Acceptance, Candidate, Inspector, judged
from augment.generator import Generator
from augment.making import Workshop, told_apart
from augment.plan import (
    Start,
    Wanted,
    balanced,
    follow,
    imagines,
    is_parent,
    may_have_children,
    of_the_maker,
    plan,
    with_reasons,
)
from augment.transform import Transform
from core.caption import Caption
from core.engine import HERE, Engine, cut, gathered
from core.hashing import digest
from core.pixels import Read
from core.progress import report
from core.record import Record
from store.carried import Carried
from store.image import Image
from store.store import Store

SHARD = 64
"""pictures after which what was made is put away, so that a run that is killed goes on from there"""
SENT = 16
"""pictures that are sent away together"""


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
    depth: int = 1,
    share: float = 0.5,
    acceptance: Acceptance | None = None,
    inspector: Inspector | None = None,
    engine: Engine = HERE,
) -> Augmented:
    """Bring the derived records in line with the training pictures, the blocks, ``copies`` of each, and ``seed``.

    Parents are kept, real pictures on the training side; up to ``depth``, also what was made of them. Derived pictures
    are drawn less often where they would be more than ``share`` of what training sees. What a model drew has to pass
    ``acceptance``, and the filters of real pictures where there is an ``inspector``.
    """
    assert 0 <= share <= 1, f"share must lie between 0 and 1, not {share}"
    assert depth >= 1, f"depth must be at least 1, not {depth}"
    acceptance = acceptance or Acceptance()
    records, said = store.records(), store.captions()
    known = {record.id: record for record in records if record.depth > 0}
    real = [record for record in records if is_parent(record)]
    clip = acceptance.clip if any(map(imagines, blocks)) else ""
    workshop = Workshop(read, clip, Carried(store, "embeddings"), inspector)
    seen: set[tuple[str, str]] = set()
    wanted: dict[str, Wanted] = {}
    derived: list[Record] = []
    fresh: set[str] = set()
    starts = [Start(record, said[record.id].text if record.id in said else "", record) for record in real]
    try:
        for _ in range(depth):
            asked = plan(starts, blocks, copies, seed)
            seen.update(_seen(known, asked))
            made = _make(store, [item for key, item in asked.items() if key not in known], workshop, seen, engine)
            there = {**{key: known[key] for key in asked if key in known}, **{record.id: record for record in made}}
            level = [follow(record, asked[key]) for key, record in there.items()]
            level = _accepted(level, asked, real, acceptance, workshop)
            starts = [asked[r.id].grown(r, _text(r, asked[r.id], said)) for r in level if may_have_children(r)]
            wanted |= asked
            derived += level
            fresh |= {record.id for record in made}
    finally:
        models.let_go()
    derived += [follow(record, None) for record in known.values() if record.id not in wanted]
    derived = balanced(derived, records, share)
    store.put_records(derived)
    store.put_captions(caption_of(record, wanted[record.id]) for record in derived if record.id in wanted)
    return _counted(derived, fresh)


def _seen(known: Mapping[str, Record], asked: Mapping[str, Wanted]) -> Iterator[tuple[str, str]]:
    """(real picture, hash) of what is there and of use."""
    for key, item in asked.items():
        if key in known and not of_the_maker(known[key].reasons):
            yield item.start.root.id, known[key].sha256


def _text(record: Record, item: Wanted, said: Mapping[str, Caption]) -> str:
    """What is said of a derived picture: a person's words, or those that follow from its parent's."""
    by_person = said[record.id].user if record.id in said else ""
    return by_person or caption_of(record, item).automatic


def _make(
    store: Store, missing: Sequence[Wanted], workshop: Workshop, seen: set[tuple[str, str]], engine: Engine
) -> list[Record]:
    fresh: list[Record] = []
    report("augmenting", 0, len(missing))
    for made in gathered(_made(missing, workshop, engine), SHARD):
        store.put_images(image for _, _, image in made)
        records = told_apart([item for item, _, _ in made], [record for _, record, _ in made], seen)
        store.put_records(records)
        fresh += records
        report("augmenting", len(fresh), len(missing))
    return fresh


def _made(
    missing: Sequence[Wanted], workshop: Workshop, engine: Engine
) -> Iterator[list[tuple[Wanted, Record, Image]]]:
    shards = cut(missing, SENT if engine.apart else SHARD)
    for shard, (made, vectors) in zip(shards, engine.map(workshop, shards), strict=True):
        if vectors:
            workshop.cache.put(vectors)
        yield [(item, record, image) for item, (record, image) in zip(shard, made, strict=True)]


def _accepted(
    derived: Sequence[Record],
    wanted: Mapping[str, Wanted],
    parents: Sequence[Record],
    acceptance: Acceptance,
    workshop: Workshop,
) -> list[Record]:
    """The same records; those that a model drew with the reasons why they are not trained on."""
    candidates = [
        Candidate(record, item.start.root, caption_of(record, item).automatic, item.block.resembles)
        for record in derived
        if (item := wanted.get(record.id)) and isinstance(item.block, Generator) and item.block.imagines
        if not of_the_maker(record.reasons)
    ]
    eyes = workshop.eyes
    if not candidates or eyes is None:
        return list(derived)
    reasons = judged(candidates, parents, acceptance, eyes, workshop.read, workshop.inspector)
    return [with_reasons(record, reasons.get(record.id, ())) for record in derived]


def _counted(derived: Sequence[Record], fresh: set[str]) -> Augmented:
    kept = [record.id for record in derived if record.verdict == "kept"]
    made = sum(record in fresh for record in kept)
    return Augmented(
        made=made,
        unchanged=len(kept) - made,
        removed=sum(record.verdict == "removed" for record in derived),
        refused=sum(record.verdict == "refused" for record in derived),
    )


def caption_of(record: Record, item: Wanted) -> Caption:
    """The parent's caption, made true of the derived picture; another caption of the parent is another key."""
    text = item.block.caption(item.caption, record.drawn)
    return Caption(record.id, text, engine=f"{item.block.fingerprint}-{digest(item.caption, length=8)}")
