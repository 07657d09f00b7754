"""Runs beside each other: what they were trained on, what they learned, what they cost, and where MLflow shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from rich.table import Table

from core.errors import TrackingError
from flows import mlflow_pages
from flows.home import Home
from flows.registry import Registry
from flows.tracking import ALONE, NEWEST, RUNS, Tracking

TAGS = ("verdict", "learning", "gap", "copy_rate", "drift", "best_step", "dataset", "base")


@dataclass(frozen=True, slots=True)
class Row:
    """One run, as the table shows it."""

    name: str
    run: str
    status: str
    seconds: float | None
    said: dict[str, str]
    """the tags of `TAGS` that it has"""
    parameters: dict[str, str]


def rows(home: Home, asked: Sequence[str], recipe: str = "") -> list[Row]:
    """The runs that are named (by name, id, or NAME@VERSION); none named: the newest, of a recipe if given."""
    tracking = Tracking(home)
    try:
        found = [found_run(tracking, home, one) for one in asked] if asked else newest(tracking, recipe)
    except MlflowException as error:
        raise TrackingError(f"MLflow at {home.tracking} does not answer: {error}") from None
    if not found:
        raise TrackingError(f"there is no run{f' of {recipe}' if recipe else ''} in {home.tracking} yet")
    return [row_of(run) for run in found]


def newest(tracking: Tracking, recipe: str) -> list[Run]:
    """The newest runs, of one recipe if it is named. Those below another one only where there are no others."""
    which = f"tags.`velatura.recipe` = '{recipe}'" if recipe else RUNS
    order = ["attributes.start_time DESC"]
    for asked in (f"{which} and {ALONE}", which):
        found = tracking.client.search_runs([tracking.experiment], asked, max_results=NEWEST, order_by=order)
        if found:
            return list(found)
    return []


def found_run(tracking: Tracking, home: Home, asked: str) -> Run:
    """One run; a `TrackingError` names the newest ones where there is no such."""
    if "@" in asked:
        return tracking.client.get_run(Registry(home).named(asked).run)
    for field in ("attributes.run_name", "attributes.run_id"):
        found = tracking.client.search_runs([tracking.experiment], f"{field} = '{asked}'", max_results=1)
        if found:
            return found[0]
    there = ", ".join(str(run.info.run_name) for run in newest(tracking, "")) or "none yet"
    raise TrackingError(f"there is no run {asked!r}; the newest are: {there}")


def row_of(run: Run) -> Row:
    """What the table shows of a run."""
    tags = run.data.tags
    began, ended = run.info.start_time, run.info.end_time
    return Row(
        str(run.info.run_name),
        str(run.info.run_id),
        str(run.info.status).lower(),
        (ended - began) / 1000 if began and ended else None,
        {name: tags[f"velatura.{name}"] for name in TAGS if f"velatura.{name}" in tags},
        dict(run.data.params),
    )


def differing(found: Sequence[Row]) -> list[str]:
    """The parameters in which they differ, without where things lie."""
    keys = sorted({key for row in found for key in row.parameters})
    return [
        key for key in keys if key not in ("home", "snapshot") and len({row.parameters.get(key) for row in found}) > 1
    ]


def link(home: Home, found: Sequence[Row], address: str) -> str:
    """MLflow's page with these runs beside each other."""
    return mlflow_pages.compared(address, Tracking(home).experiment, [row.run for row in found])


def table_of(found: Sequence[Row]) -> Table:
    """A column for each run: figures first, then the parameters in which they differ."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for row in found:
        table.add_column(row.name, overflow="fold")
    table.add_row("status", *(row.status for row in found))
    for name in TAGS:
        table.add_row(name.replace("_", " "), *(row.said.get(name, "") for row in found))
    table.add_row("seconds", *("" if row.seconds is None else f"{row.seconds:.0f}" for row in found))
    for key in differing(found):
        table.add_row(f"[dim]{key}[/]", *(row.parameters.get(key, "") for row in found))
    return table


def as_json(found: Sequence[Row], address: str) -> dict[str, Any]:
    """For scripts."""
    runs = [
        {"name": r.name, "run": r.run, "status": r.status, "seconds": r.seconds, **r.said, "parameters": r.parameters}
        for r in found
    ]
    return {"runs": runs, "differing": differing(found), "link": address}
