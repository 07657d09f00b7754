"""What people have changed in captions, edit by edit: so that the last one can be taken back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from store.rows import Row, rows_of
from store.table import Table
from store.tables import EDITS


@dataclass(frozen=True, slots=True)
class Change:
    """What a person said of one record before an edit and after it; empty where only a machine had spoken."""

    record: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Edit:
    """One command's changes."""

    number: int
    made: str
    """when, in UTC"""
    what: str
    """in words"""
    changes: tuple[Change, ...]
    undoes: int = 0
    """the number of the edit that this one took back"""


def new_edit(number: int, what: str, changes: Sequence[Change], undoes: int = 0) -> Edit:
    """An edit made now."""
    return Edit(number, datetime.now(UTC).isoformat(timespec="seconds"), what, tuple(changes), undoes)


def all_edits(table: Table) -> list[Edit]:
    """Every edit, oldest first."""
    found: dict[int, list[Row]] = {}
    for row in sorted(rows_of(table.read(), EDITS)):
        found.setdefault(row[1], []).append(row)
    return [
        Edit(number, rows[0][2], rows[0][3], tuple(Change(*row[5:]) for row in rows), rows[0][4])
        for number, rows in sorted(found.items())
    ]


def rows_of_edit(edit: Edit) -> list[Row]:
    """An edit as it is stored: a row for each change."""
    return [
        (f"{edit.number:08d}/{c.record}", edit.number, edit.made, edit.what, edit.undoes, c.record, c.before, c.after)
        for c in edit.changes
    ]


def to_undo(edits: Sequence[Edit]) -> Edit | None:
    """The last edit that is neither taken back nor takes one back itself."""
    undone = {edit.undoes for edit in edits}
    left = [edit for edit in edits if not edit.undoes and edit.number not in undone]
    return left[-1] if left else None


def taken_back(edit: Edit, said: Mapping[str, str]) -> dict[str, str]:
    """What to write so that ``edit`` never was; a caption that was changed since stays as it is."""
    return {c.record: c.before for c in edit.changes if said.get(c.record, "") == c.after}
