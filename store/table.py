"""One LanceDB table: read at its newest version or at a tag, written in whole commits, without duplicate keys."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from core.errors import StoreError
from store.faults import explained, is_full, lost_a_race
from store.folder import lock_file
from store.lock import if_free
from store.upkeep import join_small, let_go

TRIES = 20  # Lance has tried each of them several times by itself
SCANNED = 8192  # rows looked at together
STABLE_ROW_IDS = {"new_table_enable_stable_row_ids": "true"}  # can only be said when a table is made


class Table:
    """A table of the store; its first column is its key."""

    def __init__(self, uri: str, handle: Any, schema: pa.Schema) -> None:
        self._uri = uri
        self._table = handle
        self.schema = schema
        self.key: str = schema.names[0]
        self._has_blobs = any(b"lance-encoding:blob" in (field.metadata or {}) for field in schema)

    def dataset(self, tag: str = "") -> Any:
        """The Lance dataset as it stands now, or as it stood at ``tag``."""
        newest = self._table.to_lance()
        return newest.checkout_version(tag) if tag else newest

    def count(self) -> int:
        """How many rows there are."""
        return int(self._table.count_rows())

    def read(self, *columns: str, tag: str = "") -> pa.Table:
        """All rows, in no order; only those ``columns`` if any are named."""
        return self.dataset(tag).to_table(columns=list(columns) or self.schema.names)

    def scan(self, *columns: str) -> Iterator[pa.RecordBatch]:
        """Those columns of all rows and their row ids (``_rowid``), some thousand rows at a time, in no order."""
        yield from self.dataset().to_batches(columns=list(columns), with_row_id=True, batch_size=SCANNED)

    def at(self, row_ids: Sequence[int], *, batch: int = 256) -> Iterator[pa.Table]:
        """Rows by their row ids (``_rowid`` says which is which), some at a time, in no order."""
        for start in range(0, len(row_ids), batch):
            rows = self._table.take_row_ids(list(row_ids[start : start + batch]))
            yield rows.with_row_id().select(self.schema.names).to_arrow()

    def row_ids(self, keys: Sequence[str]) -> dict[str, int]:
        """The row id of each of ``keys`` that is there. It stays the same when the row is replaced."""
        found = self.dataset().to_table(columns=[self.key], with_row_id=True)
        return self._ids(found.filter(pc.is_in(found[self.key], value_set=pa.array(keys, pa.string()))))

    def new_row_ids(self, known: set[int]) -> tuple[dict[str, int], set[int]]:
        """The row ids of all keys but those in the fragments ``known``, and all fragments.

        For a table whose fragments are never rewritten.
        """
        fragments = {fragment.fragment_id: fragment for fragment in self.dataset().get_fragments()}
        new = [fragment for number, fragment in fragments.items() if number not in known]
        found = [fragment.to_table(columns=[self.key], with_row_id=True) for fragment in new]
        return (self._ids(pa.concat_tables(found)) if found else {}), set(fragments)

    def _ids(self, found: pa.Table) -> dict[str, int]:
        return dict(zip(found[self.key].to_pylist(), found["_rowid"].to_pylist(), strict=True))

    def take(self, keys: Sequence[str], *, batch: int = 256) -> Iterator[pa.Table]:
        """The rows of those keys that are there, some at a time, in no order."""
        ids = sorted(self.row_ids(keys).values())
        for start in range(0, len(ids), batch):
            yield self._table.take_row_ids(ids[start : start + batch]).select(self.schema.names).to_arrow()

    def blobs(self, column: str, row_ids: Sequence[int]) -> list[bytes]:
        """The bytes of a blob column, in the order of ``row_ids``."""
        return [bytes(item.as_py()) for item in self._table.fetch_blobs(column, list(row_ids))]

    def insert(self, rows: pa.Table) -> int:
        """Add the rows whose key is not there; how many were added. A key must not stand twice in ``rows``."""
        return int(self._merge(rows, lambda merge: merge.when_not_matched_insert_all()).num_inserted_rows)

    def upsert(self, rows: pa.Table) -> None:
        """Add rows, and replace those whose key is there. A key must not stand twice in ``rows``."""
        self._merge(rows, lambda merge: merge.when_matched_update_all().when_not_matched_insert_all())

    def _merge(self, rows: pa.Table, what: Callable[[Any], Any]) -> Any:
        with explained(self._uri):
            for attempt in range(1, TRIES + 1):
                try:
                    # an index on the key would switch the check for concurrent inserts off
                    merged = what(self._table.merge_insert(self.key)).use_index(False).execute(rows)
                    break
                except (OSError, RuntimeError) as error:
                    if attempt == TRIES or not lost_a_race(error):
                        raise
                    time.sleep(random.uniform(0, 0.05 * attempt))
            self._keep_up()
        return merged

    def _keep_up(self) -> None:
        if self._has_blobs:
            return
        try:
            with if_free(lock_file(self._uri, "upkeep")) as free:
                if free:  # two that join the same files at once would both work in vain
                    join_small(self.dataset())
        except (OSError, RuntimeError) as error:
            if not lost_a_race(error) and not is_full(error):  # the rows themselves are written; this can wait
                raise

    def let_go(self, older_than: timedelta, *, delete: bool) -> int:
        """Bytes of versions without a tag that can go, or that went."""
        with explained(self._uri):
            return let_go(self.dataset(), older_than, delete=delete)

    def tag(self, name: str) -> None:
        """Give the newest version the tag ``name``; a tag of that name from a run that was killed is moved here."""
        with explained(self._uri):
            dataset = self.dataset()
            if name in dataset.tags.list():
                dataset.tags.update(name, dataset.version)
            else:
                dataset.tags.create(name, dataset.version)

    def tags(self) -> dict[str, datetime | None]:
        """Tag -> when it was given; None where an older Lance has not written that down."""
        return {name: tag.get("updated_at") for name, tag in self.dataset().tags.list().items()}

    def is_at(self, tag: str) -> bool:
        """Whether nothing was written since ``tag`` was given."""
        newest = self.dataset()
        return bool(newest.version == newest.tags.get_version(tag))

    def is_same(self, tag: str, other: str) -> bool:
        """Whether the rows were the same at both tags."""
        one, two = (self.read(tag=name).sort_by(self.key) for name in (tag, other))
        return bool(one.equals(two))

    def restore(self, tag: str) -> None:
        """Make the rows those of ``tag`` again, as a new version; no row is written."""
        with explained(self._uri):
            self.dataset(tag).restore()


def find(connection: Any, name: str, schema: pa.Schema) -> Table | None:
    """The table ``name``, None if there is none.

    It is opened to see: a run that was killed while it made the table leaves a folder that LanceDB lists.
    """
    try:
        handle = connection.open_table(name)
    except ValueError as error:
        if "not found" not in str(error):
            raise
        return None
    if handle.schema.names != schema.names:
        raise StoreError(
            f"table {name!r} of the store {connection.uri} has the columns {', '.join(handle.schema.names)}, not "
            f"{', '.join(schema.names)}: another version of Velatura made it; use that one, or name a new folder"
        )
    return Table(connection.uri, handle, schema)


def find_or_make(connection: Any, name: str, schema: pa.Schema) -> Table:
    """The table ``name``, made if there is none. The caller sees to it that nobody else makes it meanwhile."""
    found = find(connection, name, schema)
    if found is None:
        handle = connection.create_table(name, schema=schema, storage_options=STABLE_ROW_IDS)
        found = Table(connection.uri, handle, schema)
    return found
