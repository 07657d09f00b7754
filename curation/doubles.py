"""Refused duplicates beside the picture that is kept instead of each, found among the columns of the records."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.compute import field

CODES = ("duplicate", "near_duplicate")


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture of two."""

    sha256: str
    name: str


@dataclass(frozen=True, slots=True)
class Double:
    """A refused picture, the words of its refusal, and what is kept of its kind; None where nothing is."""

    refused: Shown
    kept: Shown | None
    words: str


def doubles(records: pa.Table, most: int) -> tuple[int, list[Double]]:
    """How many duplicates are refused, and some of them, evenly spread.

    ``records`` have id, sha256, name, group, verdict and reasons. The kept one is that which the words name by its id
    (by its name, in older versions), in the same group or with the same bytes.
    """
    away = records.filter(field("verdict") == "refused")
    lists = away["reasons"].combine_chunks()
    reasons = pc.list_flatten(lists)
    mask = pc.is_in(pc.struct_field(reasons, "code"), value_set=pa.array(CODES))
    rows = away.take(pc.list_parent_indices(lists).filter(mask))
    words = pc.struct_field(reasons, "words").filter(mask)
    total = rows.num_rows
    step = max(1.0, total / max(1, most))
    chosen = pa.array([int(at * step) for at in range(min(most, total))], pa.int64())
    shown = rows.take(chosen).select(["sha256", "name", "group"]).to_pylist()
    kept = records.filter(field("verdict") == "kept").select(["id", "sha256", "name", "group"])
    groups, hashes = ([row[name] for row in shown if row[name]] for name in ("group", "sha256"))
    near = field("group").isin(pa.array(groups, pa.string()))
    same = field("sha256").isin(pa.array(hashes, pa.string()))
    candidates = kept.filter(near | same).to_pylist()
    return total, [
        Double(_shown(row), _instead(row, said, candidates), said)
        for row, said in zip(shown, words.take(chosen).to_pylist(), strict=True)
    ]


def _instead(row: dict[str, str], words: str, candidates: list[dict[str, str]]) -> Shown | None:
    """The kept picture that is meant: named by the words, else of the same bytes, else of the same group."""
    mine = [
        one for one in candidates if (one["group"] and one["group"] == row["group"]) or one["sha256"] == row["sha256"]
    ]

    def rank(one: dict[str, str]) -> tuple[bool, bool, bool, int]:
        return one["id"] in words, one["name"] in words, one["sha256"] == row["sha256"], len(one["name"])

    return _shown(max(mine, key=rank)) if mine else None


def _shown(row: dict[str, str]) -> Shown:
    return Shown(row["sha256"], row["name"])
