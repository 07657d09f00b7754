"""The page of a ladder: learning and gap over its rungs, and what to take."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path

from core.files import write_text
from evaluation.charts import Line, chart
from evaluation.document import document
from evaluation.sections import KEY, for_both
from flows.home import Home
from flows.ladder import Climbed, Rung


def write_chart(found: Climbed) -> Path:
    """One page: learning and gap over the rungs, with intervals, and what to take."""
    of_ranks = [rung for rung in found.rungs if rung.rank is not None]
    climbs = [("log10 of the learning rate", [rung for rung in found.rungs if rung.rank is None], False)]
    climbs += [("log2 of the rank", of_ranks, True)] if of_ranks else []
    sections = []
    for across, rungs, by_rank in climbs:
        known = [(across_of(rung, by_rank), rung.probe) for rung in rungs if rung.probe is not None]
        lines = [
            Line(kind, kind, tuple(at for at, _ in known), tuple(probe[kind] for _, probe in known))
            for kind in ("learning", "gap")
        ]
        best = found.best if by_rank == (found.best.rank is not None) else None
        mark = (across_of(best, by_rank), best.name) if best is not None else None
        sizes = ((980, 320), (360, 260))
        drawn = for_both([chart(lines, width=w, height=h, across=across, up="", mark=mark) for w, h in sizes])
        sections.append(f'<div class="panel">{KEY}{drawn}</div>')
    rows = "".join(
        f'<tr><td>{escape(rung.name)}</td><td class="n">{rung.best_step}</td>'
        f'<td class="n">{escape(str(rung.probe.learning)) if rung.probe else "ran away"}</td>'
        f'<td class="n">{escape(str(rung.probe.gap)) if rung.probe else ""}</td></tr>'
        for rung in found.rungs
    )
    titles = "".join(f'<th class="n">{title}</th>' for title in ("best step", "learning", "gap"))
    head = f"<thead><tr><th>rung</th>{titles}</tr></thead>"
    sections.append(f'<table class="plain">{head}<tbody>{rows}</tbody></table>')
    top = (
        f'<p class="over">{escape(found.recipe.name)}</p><h1>Take {escape(found.best.name)}</h1>'
        f'<p class="remedy">{escape(found.recommendation)}</p>'
    )
    write_text(place_of(found), document(f"{found.recipe.name}: ladder", top, sections, "Velatura."))
    return place_of(found)


def place_of(found: Climbed) -> Path:
    """Where its page is."""
    return Home.of(found.recipe.home).root / "ladders" / f"{found.recipe.name}-{found.key[:8]}" / "ladder.html"


def across_of(rung: Rung, by_rank: bool) -> float:
    """Where a rung stands on the chart."""
    return math.log2(rung.rank or 1) if by_rank else math.log10(rung.rate)
