"""The stage: caption the real pictures whose key changed, and leave alone what a person wrote."""

from dataclasses import dataclass, replace

from captioning.captioner import Batch, Captioner, Review
from core.pixels import Read
from core.progress import report
from store.store import Store

SHARD = 256
"""records after which captions are put away, so that a run that is killed goes on from there"""


@dataclass(frozen=True, slots=True)
class Captioned:
    """How many captions there are of each kind, over the kept real pictures."""

    made: int
    unchanged: int
    by_person: int


def caption(store: Store, captioner: Captioner, read: Read, *, base: str = "pocket") -> Captioned:
    """Write the captions that are missing or whose key is another. Derived pictures get theirs from `augment`."""
    known = store.captions()
    records = [record for record in store.records() if record.verdict == "kept" and record.depth == 0]
    reviews = [
        Review(record, known[record.id].user, tuple(known[record.id].scores))
        for record in records
        if record.id in known and known[record.id].user
    ]
    by_person = {review.record.id for review in reviews}
    automatic = [record for record in records if record.id not in by_person]
    batch = Batch(records, read, store.cache("embeddings"), reviews, base)
    engines = captioner.engines(batch) if automatic else {}
    keys = {record.id: " on ".join((engines[record.id], *record.ground)) for record in automatic}
    stale = [r for r in automatic if r.id not in known or known[r.id].engine != keys[r.id]]
    for start in range(0, len(stale), SHARD):
        report("captioning", start, len(stale))
        made = captioner.captions(replace(batch, records=stale[start : start + SHARD]))
        store.put_captions(replace(said, engine=keys[said.record]) for said in made)
    report("captioning", len(stale), len(stale))
    return Captioned(made=len(stale), unchanged=len(automatic) - len(stale), by_person=len(by_person))
