"""The store: pictures, what is said of them, and what was computed from them. Everything that lasts is in here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

from core.cache import Cache
from core.caption import Caption
from core.errors import StoreError
from core.record import Record
from core.snapshot import Snapshot
from store import folder, snapshots
from store.batches import batches
from store.cache import TableCache
from store.faults import explained
from store.image import Image
from store.images import Images
from store.lock import Waiting, exclusive, reentrant
from store.rows import Row, arrow_of, caption_of, caption_row, record_of, record_row, rows_of
from store.table import Table, find, find_or_make
from store.tables import CAPTIONS, TABLES, TAGGED


class Store:
    """A folder of LanceDB tables. Cheap to open, and every process opens its own; pickled, it is opened again."""

    def __init__(self, uri: str, tables: dict[str, Table]) -> None:
        self.uri = uri
        self._tables = tables
        self._images = Images(uri, tables["images"])

    @classmethod
    def open(cls, uri: str | Path) -> Store:
        """The store at ``uri``, made if the folder is new or empty; a `StoreError` if it holds anything else."""
        import lancedb  # takes seconds, and a recipe is read without it

        uri = folder.absolute(uri)
        with explained(uri):
            folder.claim(uri)
            connection = lancedb.connect(uri, read_consistency_interval=timedelta(0))  # always the newest version
            found = {name: find(connection, name, schema) for name, schema in TABLES.items()}
            tables = {name: table for name, table in found.items() if table is not None}
            if len(tables) < len(TABLES):
                with exclusive(folder.lock_file(uri, "tables")):
                    tables = {name: find_or_make(connection, name, schema) for name, schema in TABLES.items()}
        return cls(uri, tables)

    def __reduce__(self) -> tuple[Callable[[str], Store], tuple[str]]:
        return Store.open, (self.uri,)

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
        return self._images.read(sha256)

    def put_records(self, records: Iterable[Record]) -> int:
        """Add records, or replace those of the same id; how many rows that changed. Equal rows are not written."""
        return sum(
            self._put("records", {record.id: record_row(record) for record in batch}) for batch in batches(records)
        )

    def records(self, *, tag: str = "") -> list[Record]:
        """All records, refused and removed ones too, sorted by id; as of the snapshot ``tag`` if one is named."""
        return sorted((record_of(row) for row in self._read("records", tag)), key=lambda record: record.id)

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

    def captions(self, *, tag: str = "") -> dict[str, Caption]:
        """All captions by their record's id; as of the snapshot ``tag`` if one is named."""
        return {row[0]: caption_of(row) for row in self._read("captions", tag)}

    def cache(self, table: Literal["embeddings", "latents", "text_states"]) -> Cache:
        """Arrays by content key."""
        return TableCache(self._tables[table])

    def snapshot(self) -> Snapshot:
        """Name the present state, or give the newest snapshot where the dataset is still the same."""
        with self.writer():
            return snapshots.take(
                self.uri,
                self._tables["snapshots"],
                [self._tables[name] for name in TAGGED],
                lambda tag: [record_of(row) for row in self._read_at("records", tag)],
                lambda tag: {row[0]: caption_of(row) for row in self._read_at("captions", tag)},
            )

    def snapshots(self) -> list[Snapshot]:
        """Every snapshot, oldest first."""
        return snapshots.all_snapshots(self.uri, self._tables["snapshots"])

    def at(self, tag: str) -> Snapshot:
        """The snapshot ``tag``; a `StoreError` if there is none."""
        return snapshots.find(self.uri, self._tables["snapshots"], tag)

    def size(self) -> dict[str, int]:
        """How many rows each table has."""
        return {name: table.count() for name, table in self._tables.items()}

    def _captions_lock(self) -> AbstractContextManager[None]:
        """Held while captions are read and written back, so that a person's edit in between cannot be lost."""
        return exclusive(folder.lock_file(self.uri, "captions"))

    def _captions(self, records: Sequence[str]) -> dict[str, Caption]:
        parts = self._tables["captions"].take(records)
        return {row[0]: caption_of(row) for part in parts for row in rows_of(part, CAPTIONS)}

    def _read(self, table: str, tag: str) -> list[Row]:
        if tag:
            self.at(tag)  # a tag without a complete snapshot is not one
        return self._read_at(table, tag)

    def _read_at(self, table: str, tag: str) -> list[Row]:
        return rows_of(self._tables[table].read(tag=tag), TABLES[table])

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
