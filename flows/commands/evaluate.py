"""`velatura evaluate`: is this adapter overfitted? Any file over any base, with the pictures that it was trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from core.errors import RecipeError
from flows.dataset_choice import HomeFolder
from flows.summary import COLOURS

ALL = (
    "probe",
    "memorisation",
    "prior_drift",
    "noise_magnitude",
    "which_part",
    "strength",
    "editability",
    "diversity",
    "distribution",
    "alignment",
)
"""in the order in which they are made: cheap ones that the verdict needs first"""


def evaluate_adapter(
    adapter: Annotated[
        Path, typer.Option(help="The adapter or checkpoint: any file that diffusers or a web UI reads.")
    ],
    data: Annotated[str, typer.Option(help="What it was trained on: a folder, an archive, or a dataset of yours.")],
    base: Annotated[str, typer.Option(help="`pocket`, or the base model's folder or file.")] = "pocket",
    held_out: Annotated[
        str, typer.Option(help="Pictures of the same kind that it never saw: a folder or archive.")
    ] = "",
    measures: Annotated[str, typer.Option(help=f"Which, with commas between: {', '.join(ALL)}; `all`.")] = "all",
    trigger: Annotated[str, typer.Option(help="The word that the adapter listens to, if it has one.")] = "",
    strength: Annotated[float, typer.Option(min=0.0, max=2.0, help="How strongly it is put on.")] = 1.0,
    samples: Annotated[int, typer.Option(min=0, help="How many pictures are drawn to look for copies.")] = 24,
    prior: Annotated[
        list[str] | None, typer.Option(help="An ordinary prompt, without the trigger, that must not be forgotten.")
    ] = None,
    clip: Annotated[str, typer.Option(help="Which CLIP: pocket, local-dir:FOLDER, or MODEL:FILE.")] = "pocket",
    seed: Annotated[int, typer.Option(help="Of the samples.")] = 0,
    home: HomeFolder = "",
    out: Annotated[Path | None, typer.Option(help="Write a report with all figures and pictures to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON value instead of words.")] = False,
) -> None:
    """Say whether an adapter has learned, copies or forgets, and where it is best used.

    Captions stand beside the pictures as .txt files; pictures without one are captioned by CLIP. What was drawn and
    measured once is kept in the data folder. Without held-out pictures it can be seen what the adapter changed, but not
    whether what it learned carries over.
    """
    from evaluation.metric import Metric
    from flows.recipe import Samples

    kinds = chosen(measures)
    from flows.console import live_progress
    from flows.evaluating import Asked, evaluate

    spec = {"memorisation": samples, "count": 6, "seed": seed, "clip": clip}
    asked = Asked(
        base,
        adapter.expanduser(),
        data,
        held_out,
        tuple(Metric.parse(kind) for kind in kinds),
        Samples.model_validate(spec | ({"prior": tuple(prior)} if prior else {})),
        trigger,
        strength,
        home,
    )
    with live_progress(quiet=as_json):
        found = evaluate(asked, out.absolute() if out else None)
    if as_json:
        print(json.dumps(found.as_json(), indent=1))
        return
    told(found, Console(highlight=False))


def chosen(measures: str) -> list[str]:
    """The kinds that were named, the probe always among them; a `RecipeError` names those that there are."""
    named = [name.strip() for name in measures.split(",") if name.strip()]
    unknown = [name for name in named if name not in (*ALL, "all")]
    if unknown or not named:
        raise RecipeError(f"--measures: there is no {', '.join(unknown) or 'name'}; known: all, {', '.join(ALL)}")
    return list(ALL) if "all" in named else [kind for kind in ALL if kind in {"probe", *named}]


def told(found: object, console: Console) -> None:
    """Print the verdict and a table of figures for people."""
    from evaluation.wording import told as figures
    from flows.evaluating import Evaluated

    assert isinstance(found, Evaluated)
    verdict = found.verdict
    colour = COLOURS.get(verdict.state, "red")
    sides = [record.split for record in found.seen.records]
    counts = f"{sides.count('train')} trained and {sides.count('held_out')} held-out pictures"
    console.print(f"\n[bold]{escape(found.asked.adapter.name)}[/] over {escape(found.asked.base)}, {counts}")
    console.print(f"[bold]verdict[/]  [bold {colour}]{verdict.state}[/]  {escape(verdict.words)}", soft_wrap=True)
    console.print(f"[bold]to do[/]    {escape(verdict.remedy)}\n", soft_wrap=True)
    if found.doubt:
        console.print(f"[bold]doubt[/]    {escape(found.doubt)}\n", soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("figure", "value [95 %]", "how to read it"):
        table.add_column(title, overflow="fold")
    for name, figure, words in figures(found.measured):
        table.add_row(name, escape(str(figure)), f"[dim]{escape(words)}[/]")
    console.print(table)
    for kind, why in found.lacking.items():
        console.print(f"[dim]{kind} was not measured: {escape(why)}[/]")
    if found.report is not None:
        console.print(f"\nreport   {escape(str(found.report))}", soft_wrap=True)
