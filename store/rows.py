"""Records and captions as rows of plain values, and back: ``read(write(x)) == x``."""

import json
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import pyarrow as pa

from core.caption import Caption
from core.record import Reason, Record
from store.tables import RECORDS

Row = tuple[Any, ...]
"""the values of one row, in the order of the schema's columns; equal rows need no writing"""

_values = attrgetter(*RECORDS.names)


def record_row(record: Record) -> Row:
    """A record as it is stored."""
    row = dict(zip(RECORDS.names, _values(record), strict=True))
    row["drawn"] = _write_mapping(record.drawn)
    row["quality"] = _write_mapping(record.quality)
    row["tags"] = list(record.tags)
    row["reasons"] = [{"code": reason.code, "words": reason.words} for reason in record.reasons]
    return tuple(row.values())


def record_of(row: Row) -> Record:
    """A stored record."""
    fields = dict(zip(RECORDS.names, row, strict=True))
    fields["drawn"] = _read_mapping(fields["drawn"])
    fields["quality"] = _read_mapping(fields["quality"])
    fields["tags"] = tuple(fields["tags"])
    fields["reasons"] = tuple(Reason(**reason) for reason in fields["reasons"])
    return Record(**fields)


def caption_row(caption: Caption) -> Row:
    """A caption as it is stored."""
    return (caption.record, caption.automatic, _write_mapping(caption.scores), caption.engine, caption.user)


def caption_of(row: Row) -> Caption:
    """A stored caption."""
    record, automatic, scores, engine, user = row
    return Caption(record=record, automatic=automatic, scores=_read_mapping(scores), engine=engine, user=user)


def arrow_of(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    """Rows as Arrow."""
    columns: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else [[] for _ in schema.names]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def rows_of(table: pa.Table, schema: pa.Schema) -> list[Row]:
    """Arrow as rows, in the order of the schema's columns."""
    return list(zip(*(table.column(name).to_pylist() for name in schema.names), strict=True))


def _write_mapping(values: Mapping[str, Any]) -> str:
    return json.dumps(dict(values), sort_keys=True, ensure_ascii=False) if values else "{}"


def _read_mapping(text: str) -> Mapping[str, Any]:
    read: dict[str, Any] = json.loads(text) if text != "{}" else {}
    return read  # a plain one: a mapping proxy cannot be sent to a worker process
