"""The stage: caption the real pictures whose key changed, and leave alone what a person wrote."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from captioning.captioner import Batch, Captioner, Review
from core.cache import Array
from core.caption import Caption
from core.engine import HERE, Engine, cut, gathered
from core.pixels import Read
from core.progress import report
from core.record import Record
from store.carried import Carried
from store.store import Store

SHARD = 256
"""records after which captions are put away, so that a run that is killed goes on from there"""
SENT = 64
"""records that are sent away together"""


@dataclass(frozen=True, slots=True)
class Captioned:
    """How many captions there are of each kind, over the kept real pictures."""

    made: int
    unchanged: int
    by_person: int


@dataclass(frozen=True)
class Writing:
    """The work: captions of some records, and what was computed for them where that is not the store's own machine."""

    captioner: Captioner
    batch: Batch
    cache: Carried

    def __call__(self, records: Sequence[Record]) -> tuple[list[Caption], Mapping[str, Array]]:
        return self.captioner.captions(replace(self.batch, records=records, cache=self.cache)), self.cache.taken()


def caption(
    store: Store, captioner: Captioner, read: Read, *, base: str = "pocket", engine: Engine = HERE
) -> Captioned:
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
    cache = Carried(store, "embeddings")
    batch = Batch(records, read, cache, reviews, base)
    engines = captioner.engines(batch) if automatic else {}
    keys = {record.id: " on ".join((engines[record.id], *record.ground)) for record in automatic}
    stale = [r for r in automatic if r.id not in known or known[r.id].engine != keys[r.id]]
    writing = Writing(captioner, replace(batch, records=()), cache)
    done = 0
    report("captioning", 0, len(stale))
    for made in gathered(written(writing, stale, engine), SHARD):
        store.put_captions(replace(said, engine=keys[said.record]) for said in made)
        done += len(made)
        report("captioning", done, len(stale))
    return Captioned(made=len(stale), unchanged=len(automatic) - len(stale), by_person=len(by_person))


def written(writing: Writing, records: Sequence[Record], engine: Engine) -> Iterator[list[Caption]]:
    """Captions of some records at a time; what was computed for them elsewhere is put into the cache here."""
    for made, computed in engine.map(writing, cut(records, SENT if engine.apart else SHARD)):
        if computed:
            writing.cache.put(computed)
        yield made
