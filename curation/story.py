"""Everything known of one picture: scores, captions, its group, its duplicates, what was made from it, its versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.compute import field

from core.caption import Caption
from core.errors import StoreError
from core.record import Record
from store.rows import caption_of, record_of, rows_of
from store.store import Store
from store.tables import CAPTIONS, RECORDS

MOST = 20
"""pictures that one name may mean"""
SHORTEST = 6
"""characters of a hash or an id that name a picture"""


@dataclass(frozen=True, slots=True)
class Story:
    """One record and what belongs to it."""

    record: Record
    caption: Caption
    alike: tuple[Record, ...]
    """the other real pictures of its group, whatever their verdict"""
    same: tuple[Record, ...]
    """other records of the same bytes"""
    made: tuple[Record, ...]
    """what was made from it"""
    made_from: Record | None
    versions: tuple[str, ...]
    """the snapshots in which it is kept"""


def stories(store: Store, name: str, tag: str = "") -> list[Story]:
    """The pictures that ``name`` means: a name in its source or its end after a slash, an id, or a hash's beginning."""
    table = store.columns("records", *RECORDS.names, tag=tag)
    chosen = table.filter(_means(name))
    if not chosen.num_rows:
        near = table.filter(pc.match_substring(field("name"), name, ignore_case=True))
        names = sorted(set(near["name"].to_pylist()))[:5]
        hint = f"; did you mean {', '.join(names)}?" if names else ""
        raise StoreError(f"no picture {name!r} in {store.uri}{f' at {tag}' if tag else ''}{hint}")
    if chosen.num_rows > MOST:
        raise StoreError(
            f"{name!r} means {chosen.num_rows:,} pictures of {store.uri}; write more of its path, or its id"
        )
    records = [record_of(row) for row in rows_of(chosen, RECORDS)]
    captions = _captions(store, [record.id for record in records], tag)
    kept = _kept_in(store, [record.id for record in records])
    return [
        _story(table, record, captions.get(record.id, Caption(record.id)), tuple(kept[record.id]))
        for record in sorted(records, key=lambda one: (one.source, one.name, one.depth, one.verdict, one.id))
    ]


def _means(name: str) -> pc.Expression:
    exact = (field("name") == name) | pc.ends_with(field("name"), f"/{name}") | (field("id") == name)
    real = exact & (field("depth") == 0) | (field("id") == name)
    if len(name) < SHORTEST:
        return real
    return real | pc.starts_with(field("sha256"), name) | pc.starts_with(field("id"), name)


def _story(table: pa.Table, record: Record, caption: Caption, versions: tuple[str, ...]) -> Story:
    real, others = field("depth") == 0, field("id") != record.id
    alike = (field("group") == record.group) & real & others if record.group else field("id") == ""
    return Story(
        record,
        caption,
        _records(table, alike),
        _records(table, (field("sha256") == record.sha256) & others),
        _records(table, field("parent") == record.id),
        next(iter(_records(table, field("id") == record.parent)), None) if record.parent else None,
        versions,
    )


def _records(table: pa.Table, which: pc.Expression) -> tuple[Record, ...]:
    return tuple(sorted((record_of(row) for row in rows_of(table.filter(which), RECORDS)), key=lambda one: one.name))


def _captions(store: Store, ids: Sequence[str], tag: str) -> dict[str, Caption]:
    table = store.columns("captions", *CAPTIONS.names, tag=tag)
    return {
        row[0]: caption_of(row)
        for row in rows_of(table.filter(field("record").isin(pa.array(ids, pa.string()))), CAPTIONS)
    }


def _kept_in(store: Store, ids: Sequence[str]) -> dict[str, list[str]]:
    kept: dict[str, list[str]] = {id_: [] for id_ in ids}
    for snapshot in store.snapshots():
        table = store.columns("records", "id", "verdict", tag=snapshot.tag)
        found = table.filter(field("id").isin(pa.array(ids, pa.string())) & (field("verdict") == "kept"))
        for id_ in found["id"].to_pylist():
            kept[id_].append(snapshot.tag)
    return kept
