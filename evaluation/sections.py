"""Sections of the report beside those of a run: strength, all measures in words, networks beneath each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from evaluation.charts import Line, chart
from evaluation.metric import Figure, Measured
from evaluation.metrics.strength import StrengthResult
from evaluation.tags import percent, signed
from evaluation.wording import told

KEY = '<p class="key"><span class="learning">learning</span><span class="gap">gap</span></p>'


def for_both(charts: Sequence[str]) -> str:
    """A chart drawn twice, so that its words are as large on a phone as on a desk."""
    wide, narrow = charts
    return f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'


def strength(measured: Mapping[str, Measured]) -> str:
    """Learning and gap over the adapter's strength."""
    result = measured.get("strength")
    if not isinstance(result, StrengthResult) or len(result.curve) < 2:
        return ""
    at = sorted(result.curve)
    lines = [
        Line(kind, kind, (0.0, *at), (Figure(kind, 0.0, 0.0, 0.0), *(result.curve[s][kind] for s in at)))
        for kind in ("learning", "gap")
    ]
    best = result["best_strength"].value
    mark = (best, f"best: {best:g}")
    sizes = ((980, 260), (360, 240))
    drawn = for_both([chart(lines, width=w, height=h, across="strength", up="", mark=mark) for w, h in sizes])
    return (
        "<h2>At which strength</h2><p>The same, with the adapter at a fraction of its strength: 0 is the base, 1 is as "
        f'it was trained.</p><div class="panel">{KEY}{drawn}</div>'
    )


def in_words(measured: Mapping[str, Measured]) -> str:
    """A line for each key figure: what it is, its interval, how to read it."""
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="n">{escape(str(figure)).replace("-", "−")}</td>'
        f"<td>{escape(words)}</td></tr>"
        for name, figure, words in told(measured)
    )
    if not rows:
        return ""
    head = '<thead><tr><th></th><th class="n">figure [95 %]</th><th>how to read it</th></tr></thead>'
    return f'<h2>What was measured</h2><table class="plain">{head}<tbody>{rows}</tbody></table>'


@dataclass(frozen=True, slots=True)
class Row:
    """One network of a table."""

    name: str
    measured: Mapping[str, Measured]
    state: str = ""
    """its verdict's; empty where it has none"""
    best: bool = False
    note: str = ""
    """a line below the name"""


def table(rows: Sequence[Row], columns: Sequence[tuple[str, str]]) -> str:
    """Several networks beneath each other, a column for each ``(name, measure/figure)``, figures with their intervals.

    Columns that no network has a figure for are left out. On a phone each row is a card.
    """
    known = [(name, key) for name, key in columns if any(figure_of(row.measured, key) is not None for row in rows)]
    titles = [*(["verdict"] if any(row.state for row in rows) else []), *(name for name, _ in known)]
    head = "".join(f"<th{'' if name == 'verdict' else _NUMBER}>{escape(name)}</th>" for name in titles)
    body = "".join(_row(row, known, verdict="verdict" in titles) for row in rows)
    return f'<table class="plain cards"><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>'


def figure_of(measured: Mapping[str, Measured], key: str) -> Figure | None:
    """One figure by ``measure/name``; None where it was not measured."""
    kind, _, name = key.partition("/")
    return next((one for one in measured[kind].figures if one.name == name), None) if kind in measured else None


SHARES = ("memorisation/copy_rate", "editability/obeyed")
"""figures that are written as percent"""
_NUMBER = ' class="n"'


def _row(row: Row, columns: Sequence[tuple[str, str]], *, verdict: bool) -> str:
    note = f"<small>{escape(row.note)}</small>" if row.note else ""
    cells = [f'<th scope="row"{_BEST if row.best else ""}>{escape(row.name)}{note}</th>']
    if verdict:
        style = escape(row.state.split()[0]) if row.state else ""
        cells.append(f'<td data-name="verdict"><span class="state {style}">{escape(row.state)}</span></td>')
    for name, key in columns:
        figure = figure_of(row.measured, key)
        said = _with_interval(figure, percent if key in SHARES else signed) if figure else "·"
        cells.append(f'<td class="n" data-name="{escape(name)}"><span>{said}</span></td>')
    return f"<tr>{''.join(cells)}</tr>"


_BEST = ' class="best"'


def _with_interval(figure: Figure, write: Callable[[float], str]) -> str:
    sure = math.isfinite(figure.low) and math.isfinite(figure.high)
    interval = f"<small>{write(figure.low)} to {write(figure.high)}</small>" if sure else ""
    return f"{write(figure.value)}{interval}"
