"""`velatura ladder`: which learning rate? Start low, raise it, look at the result, stop when it gets worse."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from core.errors import RecipeError
from flows.home import Home

if TYPE_CHECKING:
    from flows.ladder import Climbed


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
    from flows.learning_rate_ladder import learning_rate_ladder
    from flows.pages.ladder import place_of

    starting.wait()
    with live_progress(quiet=as_json):
        found: Climbed = learning_rate_ladder(chosen, tuple(asked), tuple(wanted))
    page = place_of(found)
    if as_json:
        said = {"learning_rate": found.best.rate, "rank": found.best.rank, "cost": round(found.cost, 3)}
        rungs = [rung.as_json() for rung in found.rungs]
        print(json.dumps({**said, "rungs": rungs, "left": found.left, "chart": str(page), "run": found.run}, indent=1))
        return
    told(found, page, str(recipe), Console(highlight=False))


def numbers(text: str, option: str, kind: type[float] | type[int]) -> list[float]:
    """Numbers with commas between; a `RecipeError` in words otherwise."""
    try:
        found = [kind(part) for part in text.split(",")]
    except ValueError:
        raise RecipeError(f"{option}: {text!r} is not a list of numbers such as 1e-4,3e-4") from None
    return [float(one) for one in found]


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
    console.print(f"\n[bold]take[/]     {found.recommendation}")
    console.print(f"         velatura run {escape(recipe)} {found.recommendation}", soft_wrap=True)
    console.print(f"chart    {escape(str(page))}", soft_wrap=True)
