"""Names for states of the whole store: a tag on every table, then one row that says it is complete."""

from collections.abc import Callable, Mapping

from core.caption import Caption
from core.errors import StoreError
from core.record import Record
from core.snapshot import Snapshot, manifest_of
from store.rows import arrow_of, rows_of
from store.table import Table
from store.tables import SNAPSHOTS


def all_snapshots(uri: str, table: Table) -> list[Snapshot]:
    """Every complete snapshot, oldest first."""
    rows = sorted(rows_of(table.read(), SNAPSHOTS), key=lambda row: (len(row[0]), row[0]))
    return [Snapshot(uri, tag, count, held_out, manifest) for tag, manifest, count, held_out in rows]


def find(uri: str, table: Table, tag: str, names: Mapping[str, str]) -> Snapshot:
    """The snapshot ``tag``, or the one that one of people's ``names`` stands for."""
    known = all_snapshots(uri, table)
    for snapshot in known:
        if snapshot.tag == names.get(tag, tag):
            return snapshot
    newest = ", ".join(snapshot.tag for snapshot in known[-5:]) or "none yet"
    named = f"; names: {', '.join(names)}" if names else ""
    raise StoreError(f"the store {uri} has no snapshot {tag!r}; the newest are: {newest}{named}")


def take(
    uri: str,
    table: Table,
    tagged: list[Table],
    records: Callable[[str], list[Record]],
    captions: Callable[[str], dict[str, Caption]],
    unchanged: Callable[[Snapshot], bool],
) -> Snapshot:
    """Tag every table and write the row, or give the newest snapshot where it is ``unchanged`` since.

    The row comes last: tags without one belong to a run that was killed, and the next snapshot takes them over.
    The caller holds the writer's lock.
    """
    before = all_snapshots(uri, table)
    if before and unchanged(before[-1]):
        return before[-1]
    tag = f"data-{len(before) + 1:04d}"
    for each in tagged:
        each.tag(tag)
    rows, texts = records(tag), captions(tag)
    kept = [record for record in rows if record.verdict == "kept"]
    held_out = sum(record.split == "held_out" for record in kept)
    made = Snapshot(uri, tag, len(kept), held_out, manifest_of(kept, texts))
    table.insert(arrow_of([(tag, made.manifest, made.count, made.held_out)], SNAPSHOTS))
    return made
