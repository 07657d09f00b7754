"""Sections of the report beside those of a run: strength, all measures in words, remedies that were tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from evaluation.charts import Line, chart
from evaluation.metric import Figure, Measured
from evaluation.metrics.strength import StrengthResult
from evaluation.tags import signed
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


def table(rows: Sequence[tuple[str, Mapping[str, Measured]]], columns: Sequence[tuple[str, str]], title: str) -> str:
    """Several networks beside each other: a row each, a column for each ``(name, measure/figure)``."""
    head = "".join(f'<th class="n">{escape(name)}</th>' for name, _ in columns)
    lines = []
    for name, measured in rows:
        cells = []
        for _, key in columns:
            kind, _, figure = key.partition("/")
            known = kind in measured and any(one.name == figure for one in measured[kind].figures)
            cells.append(f'<td class="n">{signed(measured[kind][figure].value) if known else ""}</td>')
        lines.append(f"<tr><td>{escape(name)}</td>{''.join(cells)}</tr>")
    body = "".join(lines)
    return (
        f"<h2>{escape(title)}</h2>"
        f'<table class="plain"><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>'
    )
