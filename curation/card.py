"""The figures of one version of a dataset: counts, sizes, shapes, captions, duplicates, scores, licences."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow.compute import field

from curation.licences import Licences, licences
from store.store import Store

COLUMNS = ("id", "sha256", "source", "size", "width", "height", "depth", "group", "split", "quality", "verdict")
SHAPES = {"1:2": 0.5, "9:16": 9 / 16, "2:3": 2 / 3, "3:4": 0.75, "4:5": 0.8, "1:1": 1.0, "5:4": 1.25, "4:3": 4 / 3}
SHAPES |= {"3:2": 1.5, "16:9": 16 / 9, "2:1": 2.0}
MEGAPIXELS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
WORDS = (1, 3, 5, 8, 12, 18, 25, 40, 60)
BINS = 24


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many values lie between each edge and the next; what lies beyond the ends is counted in them."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """What can be said of a dataset in figures. Unless it says otherwise, of real pictures that are kept."""

    verdicts: Mapping[str, int]
    """kept, refused, removed: of all real pictures"""
    sources: Mapping[str, Mapping[str, int]]
    """the same by source"""
    reasons: Mapping[str, int]
    """of all real pictures that are not kept, by reason code; one with two reasons counts for both"""
    splits: Mapping[str, int]
    groups: Mapping[str, int]
    """by split: how many are no near-duplicates of each other"""
    derived: int
    """kept pictures that were made from others"""
    bytes: int
    sides: Mapping[str, tuple[int, int, int]]
    """smallest, median and largest width, height and shorter side"""
    shapes: Mapping[str, int]
    """by the nearest common aspect ratio, width to height"""
    megapixels: Mapping[str, int]
    captions: Mapping[str, int]
    """by who wrote what is trained on: person, machine, nobody"""
    words: Mapping[str, int]
    """by the number of words of what is trained on"""
    families: Mapping[str, int]
    """of all real pictures: groups of near-duplicates, pictures in them, pictures in the largest"""
    quality: Mapping[str, Histogram]
    licences: Licences

    @property
    def kept(self) -> int:
        """Real pictures that are kept."""
        return self.verdicts.get("kept", 0)

    @property
    def synthetic(self) -> float:
        """The share of derived pictures among those that are kept."""
        return self.derived / max(1, self.derived + self.kept)


def card(store: Store, tag: str = "") -> Card:
    """The card of a snapshot; of the present state where none is named."""
    every = store.columns("records", *COLUMNS, tag=tag)
    real = every.filter(field("depth") == 0)
    kept = real.filter(field("verdict") == "kept")
    size = {name: kept[name].to_numpy().astype(np.int64) for name in ("width", "height")}
    said = _captions(store, tag, kept)
    return Card(
        verdicts=_counted(real["verdict"]),
        sources={source: _counted(part["verdict"]) for source, part in _by(real, "source")},
        reasons=_reasons(store, tag),
        splits=_counted(kept["split"]),
        groups={split: pc.count_distinct(part["group"]).as_py() for split, part in _by(kept, "split")},
        derived=every.filter((field("depth") > 0) & (field("verdict") == "kept")).num_rows,
        bytes=int(pc.sum(kept["size"]).as_py() or 0),
        sides=_sides(size["width"], size["height"]),
        shapes=_shapes(size["width"], size["height"]),
        megapixels=banded(size["width"] * size["height"] / 1e6, MEGAPIXELS),
        captions=_counted(said["by"]),
        words=banded(_num_words(said["text"]), WORDS),
        families=_families(real.filter(field("width") > 0)),
        quality=histograms(scores(kept["quality"])),
        licences=licences(store, kept["sha256"], store.columns("records", "sha256", "tags", "drawn", tag=tag)),
    )


def scores(quality: pa.ChunkedArray) -> dict[str, NDArray[np.float64]]:
    """Score name -> the value of each row, NaN where it has none."""
    rows = [json.loads(text) for text in quality.to_pylist()]
    names = sorted({name for row in rows for name in row})
    return {name: np.array([row.get(name, np.nan) for row in rows], np.float64) for name in names}


def histograms(found: Mapping[str, NDArray[np.float64]]) -> dict[str, Histogram]:
    """Of each score, between its half percent at each end, so that one odd value does not flatten the rest."""
    drawn = {}
    for name, values in found.items():
        known = values[np.isfinite(values)]
        if not len(known):
            continue
        low, high = np.quantile(known, (0.005, 0.995))
        if low == high:
            drawn[name] = Histogram((float(low), float(high)), (len(known),))
            continue
        counts, edges = np.histogram(np.clip(known, low, high), BINS, (low, high))
        drawn[name] = Histogram(tuple(edges.tolist()), tuple(counts.tolist()))
    return drawn


def banded(values: NDArray[np.float64], edges: Sequence[float]) -> dict[str, int]:
    """Counts between round numbers, from the first band that has any to the last."""
    names = [f"below {edges[0]:g}", *(f"{a:g} to {b:g}" for a, b in pairwise(edges))]
    names.append(f"{edges[-1]:g} or more")
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(names))
    there = np.flatnonzero(counts)
    return {names[at]: int(counts[at]) for at in range(there[0], there[-1] + 1)} if len(there) else {}


def _shapes(width: NDArray[np.int64], height: NDArray[np.int64]) -> dict[str, int]:
    ratio = np.log(np.maximum(width, 1) / np.maximum(height, 1))
    nearest = np.abs(ratio[:, None] - np.log(list(SHAPES.values()))).argmin(axis=1)
    counts = np.bincount(nearest, minlength=len(SHAPES))
    return {name: int(count) for name, count in zip(SHAPES, counts, strict=True) if count}


def _sides(width: NDArray[np.int64], height: NDArray[np.int64]) -> dict[str, tuple[int, int, int]]:
    sides = {"width": width, "height": height, "shorter side": np.minimum(width, height)}
    return {name: (int(side.min()), int(np.median(side)), int(side.max())) for name, side in sides.items() if len(side)}


def _captions(store: Store, tag: str, kept: pa.Table) -> pa.Table:
    """What is trained on, and who wrote it, for each kept picture."""
    found = store.columns("captions", "record", "automatic", "user", tag=tag)
    found = kept.select(["id"]).join(found, "id", "record", join_type="left outer")
    user, automatic = (pc.fill_null(found[name], "") for name in ("user", "automatic"))
    by_person, by_machine = pc.not_equal(user, ""), pc.not_equal(automatic, "")
    by = pc.if_else(by_person, "person", pc.if_else(by_machine, "machine", "nobody"))
    return pa.table({"text": pc.if_else(by_person, user, automatic), "by": by})


def _num_words(texts: pa.ChunkedArray) -> NDArray[np.float64]:
    words = pc.list_value_length(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(texts)))
    empty = pc.equal(pc.utf8_trim_whitespace(texts), "")  # splitting nothing gives one empty word
    return np.asarray(pc.if_else(empty, 0, words).to_numpy(), np.float64)


def _reasons(store: Store, tag: str) -> dict[str, int]:
    found = store.columns("records", "depth", "verdict", "reasons", tag=tag)
    found = found.filter((field("depth") == 0) & (field("verdict") != "kept"))
    codes = pc.struct_field(pc.list_flatten(found["reasons"]), "code")
    return _counted(codes)


def _families(decoded: pa.Table) -> dict[str, int]:
    sizes = [count for group, count in _counted(decoded["group"]).items() if group and count > 1]
    return {"groups": len(sizes), "pictures": sum(sizes), "largest": max(sizes, default=0)}


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    """Value -> how often, the most frequent first."""
    counts = Counter({str(one["values"]): int(one["counts"]) for one in pc.value_counts(column).to_pylist()})
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _by(table: pa.Table, column: str) -> Iterable[tuple[str, pa.Table]]:
    for value in sorted(pc.unique(table[column]).to_pylist()):
        yield value, table.filter(field(column) == value)
