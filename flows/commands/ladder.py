"""`velatura ladder`: which learning rate? Start low, raise it, look at the result, stop when it gets worse."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from core.errors import RecipeError
from core.files import write_text
from flows.home import Home

if TYPE_CHECKING:
    from flows.ladder import Climbed, Rung


def ladder(
    recipe: Annotated[Path, typer.Argument(help="A recipe file; its steps are divided by three at each rung.")],
    changes: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes to it.")] = None,
    rates: Annotated[
        str, typer.Option(help="Learning rates, with commas between.")
    ] = "1e-5,3e-5,1e-4,3e-4,1e-3,3e-3,1e-2",
    ranks: Annotated[str, typer.Option(help="Then these ranks at the best rate, with commas between.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON value instead of words.")] = False,
) -> None:
    """Find the learning rate (and rank) for a recipe with short runs, by what they learn of held-out pictures.

    Low rates come first; the climb ends where held-out pictures are surely known worse than a rung below. All rungs are
    children of one MLflow run; a chart and the recommendation go to velatura-data/ladders/.
    """
    from flows.recipe import read_recipe

    chosen = read_recipe(recipe, changes or [])
    asked = numbers(rates, "--rates", float)
    wanted = [int(rank) for rank in numbers(ranks, "--ranks", int)] if ranks else []
    assert chosen.family  # a missing base is told before Prefect is started
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    from flows.embedded import start_prefect

    starting = start_prefect(Home.of(chosen.home))
    from flows.console import live_progress
    from flows.ladder import climb

    starting.wait()
    with live_progress(quiet=as_json):
        found: Climbed = climb(chosen, asked, wanted)
    page = write_chart(found)
    if as_json:
        said = {"learning_rate": found.best.rate, "rank": found.best.rank, "cost": round(found.cost, 3)}
        rungs = [rung.as_json() for rung in found.rungs]
        print(json.dumps({**said, "rungs": rungs, "left": found.left, "chart": str(page), "run": found.run}, indent=1))
        return
    told(found, page, str(recipe), Console(highlight=False))


def numbers(text: str, option: str, kind: type[float] | type[int]) -> list[float]:
    """Positive numbers with commas between; a `RecipeError` in words otherwise."""
    try:
        found = [kind(part) for part in text.split(",")]
    except ValueError:
        raise RecipeError(f"{option}: {text!r} is not a list of numbers such as 1e-4,3e-4") from None
    if any(not 0 < one < 1e6 for one in found) or len(set(found)) != len(found):
        raise RecipeError(f"{option}: {text!r} must be positive numbers, each once")
    return [float(one) for one in found]


def recommendation(found: Climbed) -> str:
    """The changes to the recipe, as they are typed."""
    rank = f" train.adapter.rank={found.best.rank}" if found.best.rank is not None else ""
    return f"train.optimizer.learning_rate={found.best.rate:g}{rank}"


def write_chart(found: Climbed) -> Path:
    """One page: learning and gap over the rungs, with intervals, and what to take."""
    from html import escape as safe

    from evaluation.charts import Line, chart
    from evaluation.document import document
    from evaluation.sections import KEY, for_both

    of_ranks = [rung for rung in found.rungs if rung.rank is not None]
    climbs = [("log10 of the learning rate", [rung for rung in found.rungs if rung.rank is None], False)]
    climbs += [("log2 of the rank", of_ranks, True)] if of_ranks else []
    sections = []
    for across, rungs, by_rank in climbs:
        known = [(place(rung, by_rank), rung.probe) for rung in rungs if rung.probe is not None]
        lines = [
            Line(kind, kind, tuple(at for at, _ in known), tuple(probe[kind] for _, probe in known))
            for kind in ("learning", "gap")
        ]
        best = found.best if by_rank == (found.best.rank is not None) else None
        mark = (place(best, by_rank), best.name) if best is not None else None
        sizes = ((980, 320), (360, 260))
        drawn = for_both([chart(lines, width=w, height=h, across=across, up="", mark=mark) for w, h in sizes])
        sections.append(f'<div class="panel">{KEY}{drawn}</div>')
    rows = "".join(
        f'<tr><td>{safe(rung.name)}</td><td class="n">{rung.best_step}</td>'
        f'<td class="n">{safe(str(rung.probe.learning)) if rung.probe else "ran away"}</td>'
        f'<td class="n">{safe(str(rung.probe.gap)) if rung.probe else ""}</td></tr>'
        for rung in found.rungs
    )
    titles = "".join(f'<th class="n">{title}</th>' for title in ("best step", "learning", "gap"))
    head = f"<thead><tr><th>rung</th>{titles}</tr></thead>"
    sections.append(f'<table class="plain">{head}<tbody>{rows}</tbody></table>')
    top = (
        f'<p class="over">{safe(found.recipe.name)}</p><h1>Take {safe(found.best.name)}</h1>'
        f'<p class="remedy">{safe(recommendation(found))}</p>'
    )
    folder = Home.of(found.recipe.home).root / "ladders" / f"{found.recipe.name}-{found.key[:8]}"
    write_text(folder / "ladder.html", document(f"{found.recipe.name}: ladder", top, sections, "Velatura."))
    return folder / "ladder.html"


def place(rung: Rung, by_rank: bool) -> float:
    """Where a rung stands on the chart."""
    return math.log2(rung.rank or 1) if by_rank else math.log10(rung.rate)


def told(found: Climbed, page: Path, recipe: str, console: Console) -> None:
    """Print the rungs and what to take."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("rung", "best step", "learning [95 %]", "gap"):
        table.add_column(title)
    for rung in found.rungs:
        best = "[bold]" if rung is found.best else ""
        name = f"{best}{rung.name}{'[/]' if best else ''}"
        if rung.probe is None:
            table.add_row(name, "", "ran away", "")
        else:
            figures = escape(str(rung.probe.learning)), f"{rung.probe.gap.value:+.2f}"
            table.add_row(name, str(rung.best_step), *figures)
    console.print(table)
    left = f"; {found.left} higher rungs were not needed" if found.left else ""
    console.print(f"[dim]{found.cost:.0%} of the steps of full runs at every rung{left}[/]")
    console.print(f"\n[bold]take[/]     {recommendation(found)}")
    console.print(f"         velatura run {escape(recipe)} {recommendation(found)}", soft_wrap=True)
    console.print(f"chart    {escape(str(page))}", soft_wrap=True)
