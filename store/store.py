"""The store: pictures, what is said of them, and what was computed from them. Everything that lasts is in here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from socket import gethostname
from typing import Any, Literal, TypeVar

import pyarrow as pa

from core.cache import Cache
from core.caption import Caption
from core.errors import StoreError
from core.record import Record
from core.snapshot import Snapshot, manifest_of
from store import edits, eviction, folder, names, snapshots
from store.batches import batches
from store.cache import TableCache
from store.edits import Edit
from store.faults import explained
from store.image import Image
from store.images import Images
from store.lock import Waiting, exclusive, reentrant
from store.rows import Row, arrow_of, caption_of, caption_row, record_of, record_row, rows_of
from store.table import Table, find, find_or_make
from store.tables import CAPTIONS, DESCRIBING, EDITS, RECORDS, TABLES, TAGGED, CacheName

T = TypeVar("T")
KEPT = 100_000
"""rows that stay in memory once they are parsed, each about 2 kB"""


class Store:
    """A folder of LanceDB tables. Cheap to open, and every process opens its own; pickled, it is opened again."""

    def __init__(self, uri: str, tables: dict[str, Table]) -> None:
        self.uri = uri
        self._tables = tables
        self._images = Images(uri, tables["images"])
        self._parsed: dict[str, tuple[int, list[Any]]] = {}

    @classmethod
    def open(cls, uri: str | Path) -> Store:
        """The store at ``uri``, made if the folder is new or empty; a `StoreError` if it holds anything else."""
        import lancedb  # takes seconds, and a recipe is read without it

        uri = folder.followed(folder.absolute(uri))
        newest = {"read_consistency_interval": timedelta(0)}  # always the newest version
        with explained(uri):
            folder.claim(uri)
            connection = lancedb.connect(uri, storage_options=folder.options(uri) or None, **newest)
            found = {name: find(connection, name, schema) for name, schema in TABLES.items()}
            tables = {name: table for name, table in found.items() if table is not None}
            if len(tables) < len(TABLES):
                with exclusive(folder.lock_file(uri, "tables")):
                    tables = {name: find_or_make(connection, name, schema) for name, schema in TABLES.items()}
        return cls(uri, tables)

    def __reduce__(self) -> tuple[Callable[[str], Store], tuple[str]]:
        return Store.again, (self.uri,)

    @classmethod
    def again(cls, uri: str) -> Store:
        """A store that another process has open; a `StoreError` where this machine does not see it."""
        if not folder.is_there(uri):
            where = "in a folder that all machines share under this path, or on S3 (`store: s3://bucket` in the recipe)"
            raise StoreError(f"{gethostname()} does not see the store {uri}; it must be {where}")
        return cls.open(uri)

    @contextmanager
    def writer(self, waiting: Waiting | None = None) -> Iterator[None]:
        """Be the one run that writes. ``waiting`` is told who else it is while there is one.

        Re-entrant in this process, from any thread; let go by the kernel if the process dies.
        """
        with reentrant(folder.lock_file(self.uri, "writer"), waiting):
            yield

    def put_images(self, images: Iterable[Image]) -> int:
        """Add pictures that are not there yet; how many those were. Each call is a commit: give many at once."""
        return self._images.put(images)

    def has_images(self, sha256s: Sequence[str]) -> set[str]:
        """Those of ``sha256s`` whose pictures are there."""
        return set(self._images.find(sha256s))

    def image(self, sha256: str) -> bytes:
        """The original bytes; a `StoreError` if they are not there or no longer have this hash."""
        return self._images.read([sha256])[sha256]

    def several_images(self, sha256s: Sequence[str]) -> dict[str, bytes]:
        """The same of several by their hash: quicker than one after another, and all are in memory at once."""
        return self._images.read(sha256s) if sha256s else {}

    def put_records(self, records: Iterable[Record]) -> int:
        """Add records, or replace those of the same id; how many rows that changed. Equal rows are not written."""
        return sum(
            self._put("records", {record.id: record_row(record) for record in batch}) for batch in batches(records)
        )

    def records(self, *, tag: str = "") -> list[Record]:
        """All records, refused and removed ones too, sorted by id; as of the snapshot ``tag`` if one is named."""
        return self._records(self._complete(tag))

    def scan_records(self, *columns: str) -> Iterator[pa.RecordBatch]:
        """Some columns of all records and their row ids (``_rowid``), a part at a time: for tables of millions.

        A record keeps its row id for as long as it is there.
        """
        return self._tables["records"].scan(*columns)

    def records_at(self, row_ids: Sequence[int]) -> dict[int, Record]:
        """Records by their row ids."""
        parts = list(self._tables["records"].at(row_ids))
        ids = [id_ for part in parts for id_ in part["_rowid"].to_pylist()]
        rows = [row for part in parts for row in rows_of(part, RECORDS)]
        return {id_: record_of(row) for id_, row in zip(ids, rows, strict=True)}

    def put_captions(self, captions: Iterable[Caption]) -> int:
        """Add or replace captions; how many rows that changed.

        What a person wrote stays unless the new caption brings a person's words itself; what a machine wrote stays
        unless the new caption brings a machine's.
        """
        changed = 0
        with self._captions_lock():
            for batch in batches(captions):
                before = self._captions([caption.record for caption in batch])
                for caption in batch:
                    before[caption.record] = joined(before.get(caption.record), caption)
                changed += self._put("captions", {key: caption_row(caption) for key, caption in before.items()})
        return changed

    def edit_caption(self, record: str, text: str) -> None:
        """Set what a person says of a record; an empty text gives the automatic caption back."""
        if not self._tables["records"].row_ids([record]):
            raise StoreError(f"the store {self.uri} has no record {record!r}")
        with self._captions_lock():
            caption = self._captions([record]).get(record, Caption(record))
            self._put("captions", {record: caption_row(replace(caption, user=text))})

    def edit_captions(self, texts: Mapping[str, str], what: str) -> Edit | None:
        """The same of many, by record, as one edit that `undo_edit` can take back; None where nothing changes."""
        unknown = sorted(set(texts) - set(self._tables["records"].row_ids(list(texts))))
        if unknown:
            raise StoreError(f"the store {self.uri} has no record {', '.join(map(repr, unknown[:3]))}")
        with self._captions_lock():
            return self._edit(texts, what)

    def edits(self) -> list[Edit]:
        """What people have changed in captions, oldest first."""
        return edits.all_edits(self._tables["edits"])

    def undo_edit(self) -> tuple[Edit, Edit | None] | None:
        """Take the last edit back: that edit, and the one that was made of it; None where there is none to take back.

        A caption that was changed since stays. Taking back once more takes back the edit before.
        """
        with self._captions_lock():
            last = edits.to_undo(self.edits())
            if last is None:
                return None
            said = {key: c.user for key, c in self._captions([change.record for change in last.changes]).items()}
            return last, self._edit(edits.taken_back(last, said), f"undo: {last.what}", last.number)

    def captions(self, *, tag: str = "") -> dict[str, Caption]:
        """All captions by their record's id; as of the snapshot ``tag`` if one is named."""
        return self._all_captions(self._complete(tag))

    def captions_of(self, records: Sequence[str]) -> dict[str, Caption]:
        """The captions of some records, by the record's id."""
        return self._captions(records) if records else {}

    def cache(self, table: CacheName) -> Cache:
        """Arrays by content key."""
        return TableCache(self._tables[table])

    def snapshot(self) -> Snapshot:
        """Name the present state, or give the newest snapshot where the dataset is still the same."""
        with self.writer():
            return self._take(lambda newest: newest.manifest == manifest_of(self.records(), self.captions()))

    def snapshots(self) -> list[Snapshot]:
        """Every snapshot, oldest first."""
        return snapshots.all_snapshots(self.uri, self._tables["snapshots"])

    def at(self, tag: str) -> Snapshot:
        """The snapshot ``tag``, or the one that a person gave this name; a `StoreError` if there is none."""
        return snapshots.find(self.uri, self._tables["snapshots"], tag, self.names())

    def dates(self) -> dict[str, datetime | None]:
        """When each snapshot was taken, by its tag; None where that is not known."""
        return self._tables["records"].tags()

    def names(self) -> dict[str, str]:
        """People's names for snapshots: name -> tag."""
        return names.all_names(self._tables["names"])

    def name(self, tag: str, name: str, *, move: bool = False) -> Snapshot:
        """Give a snapshot a name that can be used wherever a snapshot is named; a `StoreError` if it is taken."""
        with self.writer():
            found = self.at(tag)
            names.give(self.uri, self._tables["names"], name, found.tag, move=move)
        return found

    def restore(self, tag: str) -> tuple[Snapshot, Snapshot]:
        """Make records and captions those of a snapshot again: the snapshots of the state before, and of that now.

        Nothing is lost: the state before is a snapshot, to the last score. Both are the same where nothing changed.
        """
        with self.writer(), self._captions_lock():
            wanted = self.at(tag)
            before = self._take(self._is_at)
            for table in (self._tables[name] for name in DESCRIBING):
                if not table.is_same(before.tag, wanted.tag):
                    table.restore(wanted.tag)
            return before, self._take(self._is_at)

    def columns(self, table: Literal["records", "captions", "images"], *columns: str, tag: str = "") -> pa.Table:
        """Some columns of all rows as Arrow, in no order: for counting and comparing a million of them.

        No pictures are read.
        """
        assert columns, "name the columns"
        return self._tables[table].read(*columns, tag=self.at(tag).tag if tag else "")

    def size(self) -> dict[str, int]:
        """How many rows each table has."""
        return {name: table.count() for name, table in self._tables.items()}

    def let_go(self, older_than: timedelta, *, delete: bool) -> int:
        """Bytes that no snapshot holds and that were not current for so long: what can go, or what went."""
        with self.writer() if delete else nullcontext():
            return sum(table.let_go(older_than, delete=delete) for table in self._tables.values())

    def evict(self, held: Mapping[CacheName, Collection[str]], most: int, *, delete: bool) -> tuple[int, int]:
        """(arrays, bytes) that can go, or went, so that these caches have ``most`` bytes together: the oldest first.

        What is ``held`` stays, however much that is.
        """
        with self.writer() if delete else nullcontext():
            return eviction.evict({self._tables[name]: keys for name, keys in held.items()}, most, delete=delete)

    def _take(self, unchanged: Callable[[Snapshot], bool]) -> Snapshot:
        return snapshots.take(
            self.uri,
            self._tables["snapshots"],
            [self._tables[name] for name in TAGGED],
            self._records,
            self._all_captions,
            unchanged,
        )

    def _is_at(self, snapshot: Snapshot) -> bool:
        """Whether nothing that describes a picture was written since."""
        return all(self._tables[name].is_at(snapshot.tag) for name in DESCRIBING)

    def _edit(self, texts: Mapping[str, str], what: str, undoes: int = 0) -> Edit | None:
        """The caller holds the captions' lock."""
        known = self._captions(list(texts)) if texts else {}
        before = {record: known.get(record, Caption(record)) for record in texts}
        changes = [edits.Change(r, before[r].user, text) for r, text in texts.items() if before[r].user != text]
        if not changes and not undoes:
            return None
        number = max((edit.number for edit in self.edits()), default=0) + 1
        # an undo that finds nothing to change must be known all the same, or it would be tried for ever
        edit = edits.new_edit(number, what, changes or [edits.Change("", "", "")], undoes)
        self._tables["edits"].insert(arrow_of(edits.rows_of_edit(edit), EDITS))  # first: killed now, undo finds nothing
        self._put("captions", {c.record: caption_row(replace(before[c.record], user=c.after)) for c in changes})
        return edit if changes else None

    def _captions_lock(self) -> AbstractContextManager[None]:
        """Held while captions are read and written back, so that a person's edit in between cannot be lost."""
        return exclusive(folder.lock_file(self.uri, "captions"))

    def _captions(self, records: Sequence[str]) -> dict[str, Caption]:
        parts = self._tables["captions"].take(records)
        return {row[0]: caption_of(row) for part in parts for row in rows_of(part, CAPTIONS)}

    def _complete(self, tag: str) -> str:
        """A tag without a complete snapshot is not one."""
        return self.at(tag).tag if tag else ""

    def _records(self, tag: str) -> list[Record]:
        return sorted(self._all("records", tag, record_of), key=lambda record: record.id)

    def _all_captions(self, tag: str) -> dict[str, Caption]:
        return {caption.record: caption for caption in self._all("captions", tag, caption_of)}

    def _all(self, table: str, tag: str, parse: Callable[[Row], T]) -> list[T]:
        """All rows parsed. A table of no more than `KEPT` rows is not parsed again while nothing is written to it."""
        dataset = self._tables[table].dataset(tag)
        version, parsed = self._parsed.get(table, (None, []))
        if version != dataset.version:
            self._parsed.pop(table, None)
            rows = rows_of(dataset.to_table(columns=TABLES[table].names), TABLES[table])
            parsed = [parse(row) for row in rows]
            if len(parsed) <= KEPT:
                self._parsed[table] = (dataset.version, parsed)
        return parsed

    def _put(self, table: str, rows: dict[str, Row]) -> int:
        there = {row[0]: row for part in self._tables[table].take(list(rows)) for row in rows_of(part, TABLES[table])}
        changed = [row for key, row in rows.items() if there.get(key) != row]
        if changed:
            self._tables[table].upsert(arrow_of(changed, TABLES[table]))
        return len(changed)


def joined(before: Caption | None, new: Caption) -> Caption:
    """The new caption with what it does not say itself taken from the one before."""
    if before is None:
        return new
    if not new.automatic and not new.engine:
        new = replace(new, automatic=before.automatic, scores=before.scores, engine=before.engine)
    return new if new.user else replace(new, user=before.user)
