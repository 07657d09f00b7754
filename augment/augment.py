"""The stage: every training picture through every block, once; derived records with lineage, pictures and captions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from augment import models
from augment.acceptance import Acceptance, Candidate, Inspector, judged
from augment.generator import Generator
from augment.making import Workshop
from augment.plan import Wanted, balanced, follow, is_parent, of_the_maker, plan, with_reasons
from augment.transform import Transform
from backbones.embedding import Embedder
from core.caption import Caption
from core.hashing import digest
from core.pixels import Read
from core.progress import report
from core.record import Record
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
    acceptance: Acceptance | None = None,
    inspector: Inspector | None = None,
) -> Augmented:
    """Bring the derived records in line with the training pictures, the blocks, ``copies`` of each, and ``seed``.

    Parents are kept, real pictures on the training side. Derived pictures are drawn less often where they would be
    more than ``share`` of what training sees. What a model drew has to pass ``acceptance``, and the filters of real
    pictures where there is an ``inspector``.
    """
    assert 0 <= share <= 1, f"share must lie between 0 and 1, not {share}"
    acceptance = acceptance or Acceptance()
    records = store.records()
    captions = {record: caption.text for record, caption in store.captions().items()}
    wanted = plan(records, captions, blocks, copies, seed)
    known = {record.id: record for record in records if record.depth > 0}
    missing = [item for key, item in wanted.items() if key not in known]
    seen = {(r.parent, r.sha256) for r in known.values() if r.id in wanted and not of_the_maker(r.reasons)}
    imagining = any(isinstance(block, Generator) and block.imagines for block in blocks)
    eyes = Embedder.named(acceptance.clip, store.cache("embeddings")) if imagining else None
    workshop = Workshop(read, eyes, inspector, seen)
    try:
        fresh = _make(store, missing, workshop)
        known.update({record.id: record for record in fresh})
        derived = [follow(record, wanted.get(record.id)) for record in known.values()]
        derived = _accepted(derived, wanted, [r for r in records if is_parent(r)], acceptance, workshop)
    finally:
        models.let_go()
    derived = balanced(derived, records, share)
    store.put_records(derived)
    store.put_captions(caption_of(record, wanted[record.id]) for record in derived if record.id in wanted)
    return _counted(derived, {record.id for record in fresh})


def _make(store: Store, missing: Sequence[Wanted], workshop: Workshop) -> list[Record]:
    fresh: list[Record] = []
    for start in range(0, len(missing), SHARD):
        report("augmenting", start, len(missing))
        made, images = workshop.made_of(missing[start : start + SHARD])
        store.put_images(images)
        store.put_records(made)
        fresh += made
    report("augmenting", len(missing), len(missing))
    return fresh


def _accepted(
    derived: Sequence[Record],
    wanted: Mapping[str, Wanted],
    parents: Sequence[Record],
    acceptance: Acceptance,
    workshop: Workshop,
) -> list[Record]:
    """The same records; those that a model drew with the reasons why they are not trained on."""
    candidates = [
        Candidate(record, item.parent, caption_of(record, item).automatic, item.block.resembles)
        for record in derived
        if (item := wanted.get(record.id)) and isinstance(item.block, Generator) and item.block.imagines
        if not of_the_maker(record.reasons)
    ]
    if not candidates or workshop.eyes is None:
        return list(derived)
    reasons = judged(candidates, parents, acceptance, workshop.eyes, workshop.read, workshop.inspector)
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
