"""A source in, its pictures and a record of each in the store out; what is there already is not read again."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from os import cpu_count
from types import MappingProxyType

from core.caption import Caption
from core.hashing import digest, sha256_of
from core.progress import report
from core.record import Reason, Record, Value, Verdict
from curation import formats
from curation.decode import MAX_PIXELS, WHITE, Matte
from curation.duplicates import thumbnail_key
from curation.filter import Filter
from curation.measure import Measured, reading
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
ABSENT = frozenset(("removed", "source_not_named"))
"""reasons for which a record is set aside until its picture is seen again"""
PASSING = frozenset(("unreadable", "worker_died", "took_too_long", "too_much_memory", "check_failed"))
"""refusals that may be the machine's fault, not the picture's: tried again each time"""


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


@dataclass(slots=True)
class _Known:
    """What the store holds of one source, and what this run has seen of it."""

    by_name: dict[str, list[Record]]
    by_sha256: dict[str, Record]
    captions: dict[str, Caption]
    seen: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    said: list[Caption] = field(default_factory=list)
    """captions that are to be written"""


@dataclass(frozen=True, slots=True)
class _Looked:
    """One file after it was read; ``result`` is ``None`` where its content was known."""

    found: Found
    data: bytes
    sha256: str
    result: Measured | Reason | None


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
    way = reading(matte, max_pixels)
    needed = frozenset(score for one in filters for score in one.scores)
    known = _known(store, source.name)
    pictures = list(source.pictures())
    with Workers(filters, matte=matte, max_pixels=max_pixels, seconds=seconds) as workers:
        report(LABEL, 0, len(pictures))
        for batch in _batches(pictures):
            _ingest_batch(store, source.name, batch, known, workers, way, needed, len(pictures))
    gone = [
        _set_aside(record, Reason("removed", "it is no longer in its source, or is another picture now"))
        for records in known.by_name.values()
        for record in records
        if record.id not in known.seen and record.verdict != "removed"
    ]
    store.put_records(gone)
    count = known.counts
    return Ingested(
        found=len(pictures),
        unchanged=count["unchanged"],
        read=count["read"],
        decoded=count["decoded"],
        new=count["new"],
        removed=len(gone),
        returned=count["returned"],
        refused=MappingProxyType(dict(sorted(known.refused.items()))),
        notes=tuple(known.notes),
    )


def _known(store: Store, source: str) -> _Known:
    by_name: dict[str, list[Record]] = {}
    by_sha256: dict[str, Record] = {}
    for record in store.records():
        if record.depth == 0:
            if record.source == source:
                by_name.setdefault(record.name, []).append(record)
            if record.width:
                by_sha256[record.sha256] = record
    return _Known(by_name, by_sha256, store.captions())


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


def _ingest_batch(
    store: Store,
    source: str,
    batch: list[Found],
    known: _Known,
    workers: Workers,
    way: str,
    needed: frozenset[str],
    total: int,
) -> None:
    records: list[Record] = []
    to_read: list[Found] = []
    for found in batch:
        if found.note:
            known.notes.append(found.note)
        record = _unchanged(found, known.by_name.get(found.name, ()), way, needed)
        if record is None:
            to_read.append(found)
        else:
            known.counts["unchanged"] += 1
            records.append(_returned(record, known))
    images, thumbnails = [], {}
    for look in _looks(to_read, known, workers, way, needed, total):
        known.counts["read"] += 1
        record = _record(source, look, known, way)
        records.append(record)
        if isinstance(look.result, Measured):
            known.counts["decoded"] += 1
            known.by_sha256[record.sha256] = record
            thumbnails[thumbnail_key(record.sha256, way)] = look.result.thumbnail
            images.append(Image(look.sha256, look.data, look.result.media_type, record.width, record.height))
    store.put_images(images)
    store.cache("embeddings").put(thumbnails)
    by_name = {found.name: found for found in batch}
    records = [_as_found(store, record, by_name[record.name], known) for record in records]
    store.put_captions(known.said)
    known.said.clear()
    store.put_records(records)
    for record in records:
        known.seen.add(record.id)
        if record.width == 0:
            known.refused.update(reason.code for reason in record.reasons)
    report(LABEL, known.counts["read"] + known.counts["unchanged"], total)


def _looks(
    to_read: list[Found], known: _Known, workers: Workers, way: str, needed: frozenset[str], total: int
) -> list[_Looked]:
    """Read, hash and, where the content is new, measure; in order."""

    def look(found: Found) -> _Looked:
        try:
            if found.size > MAX_BYTES:
                words = f"it has {found.size:,} bytes; at most {MAX_BYTES:,} are read"
                return _Looked(found, b"", "", Reason("too_many_bytes", words))
            data = found.read()
        except OSError as error:
            return _Looked(found, b"", "", Reason("unreadable", f"it cannot be read: {error.strerror or error}"))
        sha256 = sha256_of(data)
        twin = known.by_sha256.get(sha256)
        if twin is not None and twin.drawn.get("reading") == way and needed <= twin.quality.keys():
            return _Looked(found, data, sha256, None)
        return _Looked(found, data, sha256, workers.measure(data))

    looked = []
    before = known.counts["read"] + known.counts["unchanged"]
    with ThreadPoolExecutor(min(cpu_count() or 1, 1 + len(to_read) // PICTURES_PER_WORKER)) as threads:
        for one in threads.map(look, to_read):
            looked.append(one)
            report(LABEL, before + len(looked), total)
    return looked


def _unchanged(found: Found, records: Sequence[Record], way: str, needed: frozenset[str]) -> Record | None:
    """The record of a picture that need not be read."""
    for record in records:
        if (record.uri, record.size, record.mtime_ns) != (found.uri, found.size, found.mtime_ns):
            continue
        if record.drawn.get("reading") != way or not (record.width == 0 or needed <= record.quality.keys()):
            continue
        if record.width == 0 and any(_worth_another_try(reason, record) for reason in record.reasons):
            continue
        return record
    return None


def _worth_another_try(reason: Reason, record: Record) -> bool:
    """Whether a refusal may turn out otherwise although the file is the same."""
    if reason.code == "unsupported_format":
        return record.drawn.get("plugins", "") != ",".join(formats.plugins())
    return reason.code in PASSING


def _record(source: str, look: _Looked, known: _Known, way: str) -> Record:
    """The record of a picture that was read."""
    found, result = look.found, look.result
    id_ = Record.id_of(source, found.name, look.sha256)
    before = next((record for record in known.by_name.get(found.name, ()) if record.id == id_), None)
    if before is None:
        known.counts["new"] += 1
        record = Record(id_, look.sha256, source, found.name, found.uri)
    else:
        record = _returned(before, known)
    drawn: dict[str, Value] = {**record.drawn, "reading": way}
    drawn.pop("plugins", None)
    if isinstance(result, Reason):
        if result.code == "unsupported_format":
            drawn["plugins"] = ",".join(formats.plugins())
        return replace(
            record,
            width=0,
            height=0,
            phash=0,
            phash_mirrored=0,
            quality=MappingProxyType({}),
            drawn=MappingProxyType(drawn),
            verdict="refused",
            reasons=(result,),
        )
    measured = result or known.by_sha256[look.sha256]
    verdict: Verdict = record.verdict if record.width else "kept"
    return replace(
        record,
        width=measured.width,
        height=measured.height,
        phash=measured.phash,
        phash_mirrored=measured.phash_mirrored,
        quality=MappingProxyType(dict(measured.quality)),
        drawn=MappingProxyType(drawn),
        verdict=verdict,
        reasons=record.reasons if record.width else (),
    )


def _as_found(store: Store, record: Record, found: Found, known: _Known) -> Record:
    """The record with what its source says of it now; a caption that has to be written is put by.

    What stands beside a picture is taken when it is new or has changed, and then only if the user caption in the store
    is empty or came from there. A picture that was edited keeps the caption that a person gave it in the store.
    """
    stored = known.captions.get(record.id)
    earlier = record
    if not any(record.id == one.id for one in known.by_name.get(record.name, ())):
        earlier = next((one for one in known.by_name.get(record.name, ()) if one.verdict != "removed"), record)
    user = known.captions[earlier.id].user if earlier.id in known.captions else ""
    mark, mark_before = _mark(found.caption), str(earlier.drawn.get("sidecar", ""))
    if mark != mark_before and (not user or _mark(user) == mark_before):
        user = found.caption
    if user != (stored.user if stored else ""):
        if user:
            known.said.append(Caption(record.id, user=user))
        elif record is earlier:
            store.edit_caption(record.id, "")
    drawn = MappingProxyType({**record.drawn, "sidecar": mark})
    return replace(
        record,
        uri=found.uri,
        size=found.size,
        mtime_ns=found.mtime_ns,
        tags=found.tags,
        weight=found.weight,
        drawn=drawn,
    )


def _mark(caption: str) -> str:
    return digest("sidecar", caption) if caption else ""


def _set_aside(record: Record, reason: Reason) -> Record:
    """Removed for a reason; what it was refused for before is kept."""
    return replace(record, verdict="removed", reasons=(*record.reasons, reason))


def _returned(record: Record, known: _Known) -> Record:
    """The record as it was before it was removed, if it was."""
    if record.verdict != "removed":
        return record
    known.counts["returned"] += 1
    reasons = tuple(reason for reason in record.reasons if reason.code not in ABSENT)
    return replace(record, verdict="refused" if reasons else "kept", reasons=reasons)
