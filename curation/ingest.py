"""A source in, its pictures and a record of each in the store out; what is there already is not read again."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count

from core.caption import Caption
from core.hashing import sha256_of
from core.progress import report
from core.record import Reason, Record
from curation.decode import MAX_PIXELS, WHITE, Matte
from curation.duplicates import thumbnail_key
from curation.filter import Filter
from curation.measure import Measured, reading
from curation.records import as_found, back, caption_of, is_read, read_anew, set_aside, unchanged
from curation.source import Found, Source
from curation.workers import Workers
from store.image import Image
from store.store import Store

LABEL = "reading pictures"
BATCH = 256
BATCH_BYTES = 64 << 20
MAX_BYTES = 1 << 29
PICTURES_PER_WORKER = 24
"""below that, starting another process takes longer than it saves"""


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
    """what a person should hear, such as captions that could not be read"""


@dataclass(frozen=True, slots=True)
class _Looked:
    """One file after it was read."""

    found: Found
    data: bytes
    sha256: str
    result: Measured | Record | Reason
    """a record where another picture's content is the same"""


def ingest(
    store: Store,
    source: Source,
    filters: Sequence[Filter] = (),
    *,
    matte: Matte = WHITE,
    max_pixels: int = MAX_PIXELS,
    seconds: float = 30.0,
) -> Ingested:
    """Bring a source's pictures into the store, and set aside those that are no longer there.

    A picture is read if it is new, if its location, size or time changed, if it was read in another way (``matte``,
    ``max_pixels``), or if a filter wants a score that it lacks. ``seconds``: how long one picture may take.

    May be stopped at any moment: a batch's pictures and captions are written before its records, and a record that is
    not there makes its picture be read again. Captions beside pictures become user captions, unless a person changed
    the caption in the store since.
    """
    pictures = list(source.pictures())
    needed = frozenset(score for one in filters for score in one.scores)
    with Workers(filters, matte=matte, max_pixels=max_pixels, seconds=seconds) as workers:
        run = _Run(store, source.name, workers, reading(matte, max_pixels), needed, len(pictures))
        report(LABEL, 0, len(pictures))
        for batch in _batches(pictures):
            run.ingest(batch)
    return run.end()


class _Run:
    """One ingest of one source: what the store held before, and what was seen so far."""

    def __init__(
        self, store: Store, source: str, workers: Workers, way: str, needed: frozenset[str], total: int
    ) -> None:
        self.store, self.source, self.workers = store, source, workers
        self.way, self.needed, self.total = way, needed, total
        self.before: dict[str, list[Record]] = {}
        """by name"""
        self.by_sha256: dict[str, Record] = {}
        """what is known of contents, whatever their source"""
        for record in store.records():
            if record.depth == 0 and record.source == source:
                self.before.setdefault(record.name, []).append(record)
            if record.depth == 0 and record.width:
                self.by_sha256[record.sha256] = record
        self.captions = store.captions()
        self.seen: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.notes: list[str] = []

    def ingest(self, batch: Sequence[Found]) -> None:
        """Look at some files, and write down what they are."""
        done: list[tuple[Found, Record]] = []
        to_read: list[Found] = []
        for found in batch:
            record = unchanged(found, self.before.get(found.name, ()), self.way, self.needed)
            if record is None:
                to_read.append(found)
            else:
                self.counts["unchanged"] += 1
                done.append((found, self.back(record)))
        images, thumbnails = [], {}
        for look in self.looks(to_read):
            self.counts["read"] += 1
            record = read_anew(self.record(look), look.result, self.way)
            done.append((look.found, record))
            if isinstance(look.result, Measured):
                self.counts["decoded"] += 1
                self.by_sha256[record.sha256] = record
                thumbnails[thumbnail_key(record.sha256, self.way)] = look.result.thumbnail
                images.append(Image(record.sha256, look.data, look.result.media_type, record.width, record.height))
        self.store.put_images(images)
        self.store.cache("embeddings").put(thumbnails)
        self.put_captions(done)
        self.store.put_records(as_found(record, found) for found, record in done)
        for found, record in done:
            self.seen.add(record.id)
            if found.note:
                self.notes.append(found.note)
            if record.width == 0:
                self.refused.update(reason.code for reason in record.reasons)
        report(LABEL, self.counts["read"] + self.counts["unchanged"], self.total)

    def looks(self, to_read: Sequence[Found]) -> list[_Looked]:
        """Read, hash and, where the content is new, measure; in order."""
        looked: list[_Looked] = []
        before = self.counts["read"] + self.counts["unchanged"] + 1
        with ThreadPoolExecutor(min(cpu_count() or 1, 1 + len(to_read) // PICTURES_PER_WORKER)) as threads:
            for one in threads.map(self.look, to_read):
                report(LABEL, before + len(looked), self.total)
                looked.append(one)
        return looked

    def look(self, found: Found) -> _Looked:
        """Called from threads: changes nothing."""
        if found.size > MAX_BYTES:
            words = f"it has {found.size:,} bytes; at most {MAX_BYTES:,} are read"
            return _Looked(found, b"", "", Reason("too_many_bytes", words))
        try:
            data = found.read()
        except OSError as error:
            return _Looked(found, b"", "", Reason("unreadable", f"it cannot be read: {error.strerror or error}"))
        sha256 = sha256_of(data)
        twin = self.by_sha256.get(sha256)
        if twin is not None and is_read(twin, self.way, self.needed):
            return _Looked(found, data, sha256, twin)
        return _Looked(found, data, sha256, self.workers.measure(data))

    def record(self, look: _Looked) -> Record:
        """The record that the file has already, or a new one."""
        name = look.found.name
        new = Record(Record.id_of(self.source, name, look.sha256), look.sha256, self.source, name, look.found.uri)
        for record in self.before.get(name, ()):
            if record.id == new.id:
                return self.back(record)
        self.counts["new"] += 1
        return new

    def back(self, record: Record) -> Record:
        """The record, no longer set aside."""
        self.counts["returned"] += record.verdict == "removed"
        return back(record)

    def put_captions(self, done: Iterable[tuple[Found, Record]]) -> None:
        """Write the user captions that what stands beside the pictures changes.

        A picture that was edited is another record, which takes over the caption of the one that it was.
        """
        said = []
        for found, record in done:
            there = self.before.get(found.name, ())
            earlier = next((one for one in there if one.id == record.id), None)
            earlier = earlier or next((one for one in there if one.verdict != "removed"), None)
            user = caption_of(self.user(earlier.id) if earlier else "", earlier, found)
            if user and user != self.user(record.id):
                said.append(Caption(record.id, user=user))
            elif not user and earlier and earlier.id == record.id and self.user(record.id):
                self.store.edit_caption(record.id, "")
        self.store.put_captions(said)

    def user(self, record: str) -> str:
        """What a person said of a record."""
        return self.captions[record].user if record in self.captions else ""

    def end(self) -> Ingested:
        """Set aside what was not seen, and tell."""
        gone = [
            set_aside(record, Reason("removed", "it is no longer in its source, or is another picture now"))
            for records in self.before.values()
            for record in records
            if record.id not in self.seen and record.verdict != "removed"
        ]
        self.store.put_records(gone)
        return Ingested(
            found=self.total,
            unchanged=self.counts["unchanged"],
            read=self.counts["read"],
            decoded=self.counts["decoded"],
            new=self.counts["new"],
            removed=len(gone),
            returned=self.counts["returned"],
            refused=dict(sorted(self.refused.items())),
            notes=tuple(self.notes),
        )


def _batches(pictures: Iterable[Found]) -> Iterator[list[Found]]:
    batch: list[Found] = []
    size = 0
    for found in pictures:
        batch.append(found)
        size += found.size
        if len(batch) == BATCH or size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
