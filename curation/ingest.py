"""A source in, its pictures and a record of each in the store out; what is there already is not read again."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from core.engine import HERE, Engine
from core.memory import give_back
from core.progress import UNKNOWN, report
from core.record import Reason
from curation.filter import Filter
from curation.known import NOWHERE, Known
from curation.looking import Looker
from curation.reading import Reading
from curation.records import set_aside, unchanged
from curation.same_place import check_same_place
from curation.source import Found, Source
from curation.workers import Workers
from curation.writing import Batch
from store.store import Store

DEFAULT = Reading()
LABEL = "reading pictures"
SHARD = 8192
"""files listed ahead; with more than that, how many there are is not known before the end"""
BATCH = 4096
BATCH_BYTES = 64 << 20
"""what is written at once, whichever comes first: a stop costs no more than that"""
MOST_NOTES = 1000


@dataclass(frozen=True, slots=True)
class Ingested:
    """What an ingest found and did."""

    found: int
    unchanged: int
    """not read, because location, size and time were those of the last ingest"""
    read: int
    decoded: int
    """of those read; the others' content was known already"""
    new: int
    """records that were not there before"""
    removed: int
    """pictures that are no longer in the source; their rows stay"""
    returned: int
    """pictures that had been removed and are back"""
    refused: Mapping[str, int]
    """of all that were found, by reason code; filters refuse later, in `curate`"""
    notes: tuple[str, ...] = ()
    """what a person should hear, such as captions that could not be read; the first 1,000"""


def ingest(
    store: Store, source: Source, filters: Sequence[Filter] = (), *, reading: Reading = DEFAULT, engine: Engine = HERE
) -> Ingested:
    """Bring a source's pictures into the store, and set aside those that are no longer there.

    A picture is read if it is new, if its location, size or time changed, if it was read in another way (``reading``),
    or if a filter wants a score that it lacks. The first frame of an animated picture is what its file stands for;
    other frames that ``reading`` asks for are records ``name#number`` with bytes of their own.

    May be stopped at any moment: a batch's pictures and captions are written before its records, and a record that is
    not there makes its picture be read again. Captions beside pictures become user captions, unless a person changed
    the caption in the store since. Memory grows by some 60 bytes for each record that is there before.
    """
    needed = frozenset(score for one in filters for score in one.scores)
    with Workers(filters, reading) as workers:
        known = Known(store, source.name, source.root, reading, needed)
        looker = Looker(known, workers, reading, source.waits, engine)
        run = _Run(store, source.name, known, looker, reading, needed)
        for number, (shard, is_last) in enumerate(_shards(source.pictures())):
            if number == 0:
                check_same_place(source, known, shard)
            run.ingest(shard, is_last)
    return run.end()


class _Run:
    """One ingest of one source, and what was seen so far."""

    def __init__(
        self, store: Store, source: str, known: Known, looker: Looker, reading: Reading, needed: frozenset[str]
    ) -> None:
        self.store, self.source, self.known, self.looker = store, source, known, looker
        self.reading, self.needed = reading, needed
        self.counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.notes: list[str] = []
        self.total = UNKNOWN
        self.rest: list[Found] = []
        """files to look at"""

    def ingest(self, shard: list[Found], is_last: bool) -> None:
        """Look at some files, and write down what they are."""
        positions = self.known.settled(shard)
        self.total = self.counts["done"] + len(self.rest) + len(shard) if is_last else UNKNOWN
        report(LABEL, self.counts["done"], self.total)
        self.notes += [found.note for found in shard if found.note][: MOST_NOTES - len(self.notes)]
        for found, position in zip(shard, positions, strict=True):
            if position == NOWHERE:
                self.rest.append(found)
            else:
                self.counts["unchanged"] += 1
                self.refused.update(self.known.refusals.get(position, ()))
        self.done(sum(position != NOWHERE for position in positions))
        while len(self.rest) >= BATCH or (is_last and self.rest):
            self.look_at(self.rest[:BATCH])
            del self.rest[:BATCH]

    def look_at(self, files: list[Found]) -> None:
        """Bring records up to date, from the files themselves where they have changed."""
        before = self.known.named(files)
        captions = self.store.captions_of([record.id for records in before.values() for record in records])
        batch = Batch(self.source, self.reading, before, captions, self.counts)
        to_read: list[Found] = []
        for found in files:
            record = unchanged(found, before.get(found.name, ()), self.reading, self.needed)
            if record is None:
                to_read.append(found)
            else:
                self.counts["unchanged"] += 1
                batch.keep(found, record)
        self.done(len(files) - len(to_read))
        for looked in self.looker.looks(to_read):
            self.counts["read"] += 1
            batch.take(looked)
            if batch.size > BATCH_BYTES:
                self.write(batch)
            self.done(1)
        self.write(batch)

    def write(self, batch: Batch) -> None:
        """Write a batch, and remember what was seen in it."""
        written = batch.write(self.store)
        give_back()
        for record in written:
            self.known.see(record)
            if record.width == 0:
                self.refused.update(reason.code for reason in record.reasons)

    def done(self, more: int) -> None:
        """Say how far it is."""
        self.counts["done"] += more
        report(LABEL, self.counts["done"], self.total)

    def end(self) -> Ingested:
        """Set aside what was not seen, and tell."""
        removed = 0
        why = Reason("removed", "it is no longer in its source, or is another picture now")
        for gone in self.known.gone():
            self.store.put_records(set_aside(record, why) for record in gone)
            removed += len(gone)
        return Ingested(
            found=self.counts["done"],
            unchanged=self.counts["unchanged"],
            read=self.counts["read"],
            decoded=self.counts["decoded"],
            new=self.counts["new"],
            removed=removed,
            returned=self.counts["returned"],
            refused=dict(sorted(self.refused.items())),
            notes=tuple(self.notes),
        )


def _shards(pictures: Iterable[Found]) -> Iterator[tuple[list[Found], bool]]:
    """``(files, whether they are the last)``."""
    files = iter(pictures)
    shard = list(islice(files, SHARD))
    while shard:
        following = list(islice(files, SHARD))
        yield shard, not following
        shard = following
