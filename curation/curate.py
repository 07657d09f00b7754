"""Every record's verdict, group and side of the split, from stored scores alone: no picture is read again."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.caption import Caption
from core.marks import REGULARISATION
from core.progress import report
from core.record import Reason, Record
from curation.cropped import MARK, crops, mark_of
from curation.duplicates import near_duplicates
from curation.filter import Batch, Filter
from curation.hamming import Pairs
from curation.ingest import Ingested, ingest
from curation.pictures import Pictures
from curation.records import back, set_aside
from curation.splits import Split, assign
from store.store import Store

__all__ = ["Curated", "Ingested", "curate", "ingest"]

LABEL = "judging pictures"
NOT_NAMED = Reason("source_not_named", "its source is no longer one that pictures are taken from")


@dataclass(frozen=True, slots=True)
class Curated:
    """What became of the real pictures."""

    kept: int
    refused: Mapping[str, int]
    """by reason code, those that could not be decoded included; a picture with two reasons counts for both"""
    num_refused: int
    removed: int
    groups: int
    """of kept pictures"""
    held_out: int
    """kept pictures that are not trained on"""
    held_out_groups: int
    notes: tuple[str, ...]
    """words about pictures that are no longer held out, and what was not looked for"""
    changed: int
    """records that are not as they were before"""
    regularisation: int = 0
    """kept pictures that say what the class looks like; they are not trained on as others are"""


def curate(
    store: Store,
    filters: Sequence[Filter],
    split: Split,
    *,
    sources: Collection[str] = (),
) -> Curated:
    """Judge, group and split all pictures, and write that in one go.

    Each filter that looks at one picture at a time judges every picture, so that all reasons are told; those that
    compare pictures come after and see only what is still kept. ``filters`` must be those that `ingest` measured for.
    ``sources``: if given, pictures of any other source are set aside.
    """
    before = store.records()
    captions = store.captions()
    real = [_of_source(record, sources) for record in before if record.depth == 0]
    report(LABEL, 0, len(real))

    read = Pictures(store)
    cache = store.cache("embeddings")
    present = [record for record in real if record.width and record.verdict != "removed"]
    reasons, scores = judged(Batch([_with_caption(r, captions) for r in present], read, cache), filters)
    real = [_with_verdict(_scored(r, scores), reasons[r.id]) if r.id in reasons else r for r in real]
    decoded = [record for record in real if record.width]
    alike = [near_duplicates(decoded, split.alike, read, cache), of_one_file(decoded)]
    if looked := len(decoded) <= split.crops:
        alike.append(crops(decoded, split, read, cache))
    places, notes = assign(decoded, np.concatenate(alike), split)
    if split.crops and not looked:
        many = f"{len(decoded):,} pictures are more than split.crops, {split.crops:,}"
        notes.append(f"what is cut out of others was not looked for: {many}")
    key = split.key
    placed = {
        record.id: replace(
            record,
            group=place.group,
            split=place.split,
            drawn={**record.drawn, "split": key} | ({MARK: mark_of(record, key)} if looked else {}),
        )
        for record, place in zip(decoded, places, strict=True)
    }
    after = {record.id: placed.get(record.id, record) for record in real}
    for record in sorted((r for r in before if r.depth > 0), key=lambda r: r.depth):
        after[record.id] = _following(record, after.get(record.parent))
    known = {record.id: record for record in before}
    changed = store.put_records(record for record in after.values() if record != known.get(record.id))
    report(LABEL, len(real), len(real))
    return _curated([after[record.id] for record in real], notes, changed)


def of_one_file(records: Sequence[Record]) -> Pairs:
    """Each later frame of an animated picture with its first one: they belong together, however unlike they look."""
    positions = {record.id: at for at, record in enumerate(records)}
    firsts = ((positions.get(str(record.drawn.get("first", ""))), at) for at, record in enumerate(records))
    return np.array([(first, at) for first, at in firsts if first is not None], np.int64).reshape(-1, 2)


Scores = Mapping[str, Mapping[str, float]]
"""by record id and name"""


def judged(batch: Batch, filters: Sequence[Filter]) -> tuple[dict[str, list[Reason]], Scores]:
    """Every record's reasons for being refused (none: it is kept), and the scores that filters gave on the way."""
    reasons: dict[str, list[Reason]] = {record.id: [] for record in batch.records}
    scores: dict[str, dict[str, float]] = {}
    for one in sorted(filters, key=lambda one: one.whole):
        seen = [record for record in batch.records if not (one.whole and reasons[record.id])]
        lacking = next((r for r in seen if not r.quality.keys() >= set(one.scores)), None)
        assert lacking is None, f"{lacking} was ingested without {one.kind}: give ingest the same filters"
        given = one.score(replace(batch, records=seen))
        for id_, those in given.items():
            scores.setdefault(id_, {}).update(those)
        seen = [_scored(record, given) for record in seen] if given else seen
        for id_, reason in one.judge(replace(batch, records=seen)).items():
            reasons[id_].append(reason)
    return reasons, scores


def _scored(record: Record, scores: Scores) -> Record:
    return replace(record, quality={**record.quality, **scores[record.id]}) if record.id in scores else record


def _of_source(record: Record, sources: Collection[str]) -> Record:
    """The record, set aside or brought back as ``sources`` says."""
    if not sources or record.source in sources:
        return back(record, frozenset((NOT_NAMED.code,)))
    return record if record.verdict == "removed" else set_aside(record, NOT_NAMED)


def _with_caption(record: Record, captions: Mapping[str, Caption]) -> Record:
    """For rules that ask which picture is captioned best: by a person, since a machine's words come later."""
    words = len(captions[record.id].user.split()) if record.id in captions else 0
    return replace(record, quality={**record.quality, "caption_words": float(words)})


def _with_verdict(record: Record, reasons: Sequence[Reason]) -> Record:
    return replace(record, verdict="refused" if reasons else "kept", reasons=tuple(reasons))


def _following(record: Record, parent: Record | None) -> Record:
    """A derived record goes with its parent: in its group, and set aside while the parent is not trained on."""
    others = tuple(reason for reason in record.reasons if reason.code != "parent")
    if parent is not None:
        record = replace(record, group=parent.group)
    if parent is not None and parent.verdict == "kept" and parent.split == "train":
        if len(others) < len(record.reasons):
            record = replace(record, verdict="removed" if others else "kept", reasons=others)
        return record
    if record.verdict == "kept":
        why = "is not there" if parent is None else parent.verdict if parent.verdict != "kept" else "is held out"
        return replace(record, verdict="removed", reasons=(*others, Reason("parent", f"what it was made from {why}")))
    return record


def _curated(real: Sequence[Record], notes: Sequence[str], changed: int) -> Curated:
    kept = [record for record in real if record.verdict == "kept"]
    refused = [record for record in real if record.verdict == "refused"]
    counts = Counter(reason.code for record in refused for reason in record.reasons)
    held = [record for record in kept if record.split == "held_out"]
    return Curated(
        kept=len(kept),
        refused=dict(sorted(counts.items())),
        num_refused=len(refused),
        removed=sum(record.verdict == "removed" for record in real),
        groups=len({record.group for record in kept}),
        held_out=len(held),
        held_out_groups=len({record.group for record in held}),
        notes=tuple(notes),
        changed=changed,
        regularisation=sum(REGULARISATION in record.tags for record in kept),
    )
