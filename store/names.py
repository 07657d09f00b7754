"""People's names for snapshots, such as `before-cleaning`: each stands for one, and moves only when it is told to."""

import re

from core.errors import StoreError
from store.rows import arrow_of, rows_of
from store.table import Table
from store.tables import NAMES

PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
OURS = re.compile(r"data-\d+|now")
"""`data-0001` names a snapshot already, `now` the present state"""


def all_names(table: Table) -> dict[str, str]:
    """Name -> the snapshot's tag."""
    return dict(sorted(rows_of(table.read(), NAMES)))


def give(uri: str, table: Table, name: str, tag: str, *, move: bool = False) -> None:
    """Let ``name`` stand for the snapshot ``tag``; a `StoreError` if it stands for another and is not to ``move``."""
    if not PATTERN.fullmatch(name) or OURS.fullmatch(name):
        raise StoreError(
            f"{name!r} cannot name a snapshot: a name has 1 to 64 letters, digits, dots, hyphens and underscores, "
            "begins with a letter or digit, and is not `now` or like data-0001"
        )
    row = arrow_of([(name, tag)], NAMES)
    if table.insert(row):
        return
    there = all_names(table)[name]
    if there == tag:
        return
    if not move:
        raise StoreError(f"the name {name!r} stands for {there} in {uri}; choose another name, or move it with --move")
    table.upsert(row)
