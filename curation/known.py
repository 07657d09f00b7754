"""What the store knows of a source before an ingest, in some 60 bytes a record, so that tens of millions fit."""

import json
from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.record import Reason, Record, Value
from curation.reading import Reading
from curation.records import file_of, is_read, is_settled, is_thought_there, mark_of
from curation.source import Found
from store.store import Store

NOWHERE = -1
COLUMNS = (
    *("sha256", "source", "name", "uri", "size", "mtime_ns", "width", "depth", "drawn", "quality", "tags", "weight"),
    *("verdict", "reasons"),
)
FETCHED = 1024
"""records taken from the store at a time"""


class Index:
    """Hash -> numbers, as two sorted columns: a fifth of what a dictionary takes."""

    def __init__(self) -> None:
        self._new = array("q"), array("q")
        self._hashes, self._numbers = np.empty(0, np.int64), np.empty(0, np.int64)

    def add(self, key: int, number: int) -> None:
        """To be followed by `sort` before anything is looked up."""
        self._new[0].append(key)
        self._new[1].append(number)

    def sort(self) -> None:
        """Make what was added known."""
        hashes, numbers = (np.frombuffer(column, np.int64) for column in self._new)
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._numbers = hashes[order], numbers[order]
        self._new = array("q"), array("q")

    def all(self, key: int) -> list[int]:
        """All numbers of one hash."""
        begin, end = (int(np.searchsorted(self._hashes, key, side)) for side in ("left", "right"))
        return [int(number) for number in self._numbers[begin:end]]

    def first(self, keys: Sequence[int]) -> NDArray[np.int64]:
        """The first number of each hash; `NOWHERE` where there is none."""
        wanted = np.array(keys, np.int64)
        if not len(self._hashes):
            return np.full(len(wanted), NOWHERE)
        at = np.minimum(np.searchsorted(self._hashes, wanted), len(self._hashes) - 1)
        return np.where(self._hashes[at] == wanted, self._numbers[at], NOWHERE)


class Known:
    """The real records of one source, and the contents that any source has; looked up by hashes of this process."""

    def __init__(self, store: Store, source: str, root: str, reading: Reading, needed: frozenset[str]) -> None:
        self._store, self._reading, self._needed = store, reading, needed
        self._names, self._settled, self._contents = Index(), Index(), Index()
        self.refusals: dict[int, tuple[str, ...]] = {}
        """by position, the reason codes of what could not be decoded and needs no other try"""
        self._positions: dict[str, int] = {}
        """of the records that `named` gave last"""
        self._elsewhere = NOWHERE
        here = not root
        rows, present = array("q"), bytearray()
        for batch in store.scan_records(*COLUMNS):
            for row, record in _partly(batch, needed):
                if record.depth == 0 and record.width:
                    self._contents.add(hash(record.sha256), row)
                if record.depth == 0 and record.source == source:
                    self._add(len(rows), record)
                    if not here and is_thought_there(record):
                        here = record.uri.startswith(root)
                        self._elsewhere = len(rows)
                    rows.append(row)
                    present.append(record.verdict != "removed")
        for index in (self._names, self._settled, self._contents):
            index.sort()
        self._elsewhere = NOWHERE if here else self._elsewhere
        self._rows = np.frombuffer(rows, np.int64)
        self._gone = np.frombuffer(present, np.bool_).copy()

    def _add(self, position: int, record: Record) -> None:
        self._names.add(hash(file_of(record)), position)
        if is_settled(record, self._reading, self._needed):
            said = (str(record.drawn.get("sidecar", "")), str(record.drawn.get("licence", "")))
            file = (record.name, record.uri, record.size, record.mtime_ns, record.tags, record.weight, *said)
            self._settled.add(hash(file), position)
            if record.width == 0:
                self.refusals[position] = tuple(reason.code for reason in record.reasons)

    def settled(self, files: Sequence[Found]) -> list[int]:
        """For each file the position of its record, if the two agree in all that an ingest would write; or `NOWHERE`.

        Those are seen with that.
        """
        keys = [
            hash((one.name, one.uri, one.size, one.mtime_ns, one.tags, one.weight, mark_of(one.caption), one.licence))
            for one in files
        ]
        found = self._settled.first(keys)
        self._gone[found[found != NOWHERE]] = False
        return [int(position) for position in found]

    def named(self, files: Sequence[Found]) -> dict[str, list[Record]]:
        """The records of some files by the file's name, frames of animated ones too."""
        positions = {position for file in files for position in self._names.all(hash(file.name))}
        of_row = {int(self._rows[position]): position for position in positions}
        records: dict[str, list[Record]] = {}
        self._positions = {}
        for row, record in sorted(self._store.records_at(sorted(of_row)).items()):
            records.setdefault(file_of(record), []).append(record)
            self._positions[record.id] = of_row[row]
        return records

    @property
    def elsewhere(self) -> Record | None:
        """A record of the source, where none of those that are thought there lies below the root that it has now."""
        if self._elsewhere == NOWHERE:
            return None
        return next(iter(self._store.records_at([int(self._rows[self._elsewhere])]).values()))

    def thought_there(self, most: int) -> list[Record]:
        """At most so many of the source's records, evenly spread, without those whose file was seen to be gone."""
        rows = self._rows[:: max(1, -(-len(self._rows) // most))].tolist()
        return [record for record in self._store.records_at(rows).values() if is_thought_there(record)]

    def see(self, record: Record) -> None:
        """Note that one of those that `named` gave last is still there; what is new is of no interest."""
        if record.id in self._positions:
            self._gone[self._positions[record.id]] = False

    def twin(self, sha256: str) -> Record | None:
        """A record of the same content, whatever its source, of which all is known that reading it would tell."""
        for record in self._store.records_at(self._contents.all(hash(sha256))[:1]).values():
            if record.sha256 == sha256 and is_read(record, self._reading, self._needed):
                return record
        return None

    def gone(self) -> Iterator[list[Record]]:
        """The records of the source that were not seen and not yet set aside."""
        rows = self._rows[self._gone]
        for start in range(0, len(rows), FETCHED):
            yield list(self._store.records_at(rows[start : start + FETCHED].tolist()).values())


def _values(column: pa.Array) -> Sequence[Any]:
    """Python's values; empty lists, which nearly all are, without looking at each."""
    if pa.types.is_list(column.type) and not len(column.flatten()):
        return [()] * len(column)
    values: list[Any] = column.to_pylist()
    return values


@lru_cache(4096)
def _drawn(text: str) -> dict[str, Value]:
    """Most records have been read in one way and have nothing beside them."""
    read: dict[str, Value] = json.loads(text)
    return read


def _partly(batch: pa.RecordBatch, needed: frozenset[str]) -> Iterator[tuple[int, Record]]:
    """``(row id, record)``, of each record what `COLUMNS` says; of its scores, which of the ``needed`` ones it has."""
    marks = [(name, f"{json.dumps(name)}:") for name in needed]  # looked for in the text: parsing it costs more
    columns = [_values(batch[name]) for name in ("_rowid", *COLUMNS)]
    for row, sha256, source, name, uri, size, mtime_ns, width, depth, drawn, quality, tags, weight, verdict, why in zip(
        *columns, strict=True
    ):
        yield (
            row,
            Record(
                id="",
                sha256=sha256,
                source=source,
                name=name,
                uri=uri,
                size=size,
                mtime_ns=mtime_ns,
                width=width,
                depth=depth,
                drawn=_drawn(drawn),
                quality={name: 0.0 for name, mark in marks if mark in quality},
                tags=tuple(tags),
                weight=weight,
                verdict=verdict,
                reasons=tuple(Reason(one["code"], one["words"]) for one in why),
            ),
        )
