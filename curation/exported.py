"""What an export says of each picture beside what its layout has a place for, so that importing it loses nothing."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.marks import KEEP_LAST_TOKENS, KEEP_TOKENS, REGULARISATION, shown
from curation.places import Place
from curation.sidecars import licence_of
from curation.source import Found

FILE = "velatura.jsonl"
"""stands at the top of an exported kohya folder"""
COLUMNS = ("name", "tags", "weight", "split", "group", "source", "sha256")
"""what an export says of each picture beside its caption; where all of them are, the data is one of ours"""
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """What an export says of one picture and an import takes over."""

    name: str = ""
    """what it was called in the dataset; empty: its file's name"""
    tags: tuple[str, ...] = ()
    weight: float = 1.0
    licence: str = ""

    @classmethod
    def of(cls, row: Row) -> "Said | None":
        """From a row of an export's metadata; ``None`` for data that is no export of ours."""
        if not row.keys() >= set(COLUMNS):
            return None
        name, tags, weight = row.get("name"), row.get("tags"), row.get("weight")
        tags = from_text(tags) if isinstance(tags, str) else tags
        fine = isinstance(weight, int | float) and math.isfinite(weight) and weight >= 0
        return cls(
            name=name if isinstance(name, str) else "",
            tags=tuple(str(tag) for tag in tags) if isinstance(tags, list | tuple) else (),
            weight=float(weight) if fine and isinstance(weight, int | float) else 1.0,
            licence=licence_of(row.get("licence")),
        )

    def of_picture(self, picture: Found) -> Found:
        """The picture as it was before it was exported."""
        said = replace(picture, name=self.name or picture.name, tags=self.tags, weight=self.weight)
        return replace(said, licence=self.licence or picture.licence)


def from_text(tags: str) -> object:
    """Tags that are written as JSON; nothing of what is not."""
    try:
        return json.loads(tags)
    except (ValueError, RecursionError):
        return None


def said_in(data: bytes) -> Said | None:
    """What the JSON file of one picture says; ``None`` where it is no export of ours."""
    try:
        row = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return Said.of(row) if isinstance(row, dict) else None


def columns_in(columns: Iterable[str]) -> tuple[str, ...]:
    """The columns to read for `Said.of`, in a table with these; none where it is no export of ours."""
    return COLUMNS if set(columns) >= set(COLUMNS) else ()


def rows_at(folder: Place) -> tuple[dict[str, Row], str]:
    """``(file below the folder -> its row, note)`` of an export's `FILE`; nothing where there is none."""
    place = folder.below(FILE)
    try:
        text = place.read().decode()
        rows = [json.loads(line) for line in text.split("\n") if line.strip()]
        return {row["file"]: row for row in rows if isinstance(row, dict) and isinstance(row.get("file"), str)}, ""
    except FileNotFoundError:
        return {}, ""
    except (OSError, ValueError, RecursionError) as error:
        return {}, f"{place.uri} cannot be read ({error}): names, tags and weights are those of the folders"


def as_exported(found: Iterable[Found], rows: Mapping[str, Row], root: Place) -> tuple[list[Found], int]:
    """Pictures of kohya's layout with the names, tags and weights that they had before they were exported.

    And how many others are drawn less than once, which kohya does not read.
    """
    known: list[Found] = []
    never = 0
    for picture in found:
        row = rows.get(picture.uri.removeprefix(root.uri.rstrip("/") + "/"))
        said = said_of(picture, row) if row is not None else None
        if said is not None:
            known.append(said.of_picture(picture))
        elif picture.weight > 0:
            known.append(picture)
        else:
            never += 1
    return known, never


def said_of(picture: Found, row: Row) -> Said | None:
    """What the export says, while the folder or dataset file still says the same; otherwise a person's change holds."""
    said = Said.of(row)
    if said is None or row.get("repeats") != picture.weight or row.get("words") != ", ".join(shown(picture.tags)):
        return None
    kept = {tag for tag in picture.tags if tag.startswith((KEEP_TOKENS, KEEP_LAST_TOKENS))}
    same = kept <= set(said.tags) and (REGULARISATION in said.tags) == (REGULARISATION in picture.tags)
    return said if same else None
