"""`velatura report data`: what is in a dataset and why the rest is not, to look at. Bounded, whatever its size."""

from __future__ import annotations

import time
from html import escape
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow.compute import field

from core.files import write_text
from curation.card import Card, card, scores
from curation.doubles import CODES, Double, doubles
from evaluation import bars
from evaluation.document import document
from evaluation.tags import folded
from flows.pages.data import figures, headline, tiles
from flows.pages.gallery import Gallery, figure, gallery, of, spread
from store.store import Store

ENDS = 8
"""pictures at each end of a score"""
COLUMNS = (
    "id",
    "sha256",
    "name",
    "source",
    "width",
    "height",
    "depth",
    "group",
    "split",
    "quality",
    "verdict",
    "reasons",
)


def write_data_report(store: Store, path: Path, *, title: str, tag: str = "", most: int = 24) -> Card:
    """Write the page of a snapshot (or of the present state) with at most ``most`` pictures for each reason."""
    found = card(store, tag)
    records = store.columns("records", *COLUMNS, tag=tag)
    real = records.filter(field("depth") == 0).sort_by([("name", "ascending"), ("id", "ascending")])
    eyes = Gallery(store)
    version = store.at(tag).tag if tag else "the present state"
    header = f'<p class="over">{escape(title)} · {version}</p><h1>{escape(headline(found))}</h1>'
    charts, facts, _ = figures(found)
    sections = [
        tiles(found),
        refused(real, found, eyes, most),
        repeated(real, eyes, most),
        held_out(real, eyes, most),
        *scored(real, found, eyes),
        charts,
        facts,
    ]
    footer = f"Velatura, {time.strftime('%d %B %Y, %H:%M')}."
    write_text(path, document(f"{title}: the data", header, sections, footer))
    return found


def refused(real: pa.Table, found: Card, eyes: Gallery, most: int) -> str:
    """The pictures that are not kept, reason by reason, with the words of each."""
    away = real.filter(field("verdict") != "kept")
    lists = away["reasons"].combine_chunks()
    parents, reasons = pc.list_parent_indices(lists), pc.list_flatten(lists)
    blocks = []
    for code in (code for code in found.reasons if code not in CODES):
        at = np.flatnonzero(pc.equal(pc.struct_field(reasons, "code"), code).to_numpy(zero_copy_only=False))
        chosen = pa.array(at[spread(len(at), most)])
        rows = away.take(parents.take(chosen)).to_pylist()
        words = pc.struct_field(reasons, "words").take(chosen).to_pylist()
        name = code.replace("_", " ")
        shown = gallery(eyes.figure(row, said, name) for row, said in zip(rows, words, strict=True))
        note = f'<p class="quiet">{of(len(rows), len(at))}</p>' if len(rows) < len(at) else ""
        blocks.append(f"<div><h3>{escape(name)}: {len(at):,}</h3>{note}{shown}</div>")
    lead = "By reason, the most frequent first; a picture with two reasons is in both."
    return f'<h2>Refused</h2><p>{lead}</p><div class="reasons">{"".join(blocks)}</div>' if blocks else ""


def repeated(real: pa.Table, eyes: Gallery, most: int) -> str:
    """Refused duplicates, each beside the picture that is kept instead."""
    total, found = doubles(real, most)

    def shown(double: Double) -> str:
        pictures = [eyes.picture(double.refused.sha256, double.refused.name)]
        if double.kept is not None:
            pictures.append(eyes.picture(double.kept.sha256, double.kept.name))
        return figure(f'<div class="two">{"".join(pictures)}</div>', double.refused.name, double.words)

    lead = f"Left what is refused, right what is kept instead of it.{of(len(found), total)}"
    drawn = gallery((shown(double) for double in found), wide=True)
    return f"<h2>Duplicates: {total:,}</h2><p>{lead}</p>{drawn}" if found else ""


def held_out(real: pa.Table, eyes: Gallery, most: int) -> str:
    """The pictures that are never trained on, near-duplicates side by side."""
    held = real.filter((field("verdict") == "kept") & (field("split") == "held_out"))
    groups = sorted(pc.unique(held["group"]).to_pylist())
    chosen = [groups[at] for at in spread(len(groups), most)]
    drawn = []
    for group in chosen:
        rows = held.filter(field("group") == group).slice(0, 4).to_pylist()
        drawn.append("".join(eyes.figure(row, "one of a group" if len(rows) > 1 else "") for row in rows))
    lead = f"Whole groups of near-duplicates, so that nothing like them is trained on.{of(len(chosen), len(groups))}"
    return (
        f"<h2>Held out: {held.num_rows:,} in {len(groups):,} groups</h2><p>{lead}</p>{gallery(drawn)}" if groups else ""
    )


def scored(real: pa.Table, found: Card, eyes: Gallery) -> list[str]:
    """The pictures at both ends of every score, with their scores, refused ones too."""
    seen = real.filter(field("width") > 0)
    sections = ["<h2>Scores</h2><p>Of the kept; below each the lowest and highest of all pictures that were seen.</p>"]
    for name, values in scores(seen["quality"]).items():
        histogram = found.quality.get(name)
        chart = bars.columns(histogram.edges, histogram.counts, width=980, height=110) if histogram else ""
        drawn = "".join(
            f'<p class="quiet">{end}</p>' + gallery(at_end(seen, values, order, eyes))
            for end, order in (("lowest", lowest(values)), ("highest", lowest(-values)))
        )
        inside = f'<div class="panel">{chart}</div>' if chart else ""
        sections.append(
            f"<h3>{escape(name.replace('_', ' '))}</h3>{inside}{folded('the pictures at both ends', drawn)}"
        )
    return sections if len(sections) > 1 else []


def lowest(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Positions of the lowest values, the lowest first; NaN is none."""
    known = np.flatnonzero(np.isfinite(values))
    ends = known[np.argsort(values[known], kind="stable")[:ENDS]]
    return ends.astype(np.int64)


def at_end(seen: pa.Table, values: NDArray[np.float64], at: NDArray[np.int64], eyes: Gallery) -> list[str]:
    """Pictures with one of their scores."""
    drawn = []
    for row, value in zip(seen.take(pa.array(at)).to_pylist(), values[at], strict=True):
        verdict = "" if row["verdict"] == "kept" else f", {row['verdict']}"
        drawn.append(eyes.figure(row, f"{value:.4g}{verdict}"))
    return drawn
