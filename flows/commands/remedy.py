"""`velatura remedy`: a run has overfitted; what helps without training again, and what to change if not?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from core.errors import RecipeError
from core.files import replacing, write_text
from flows.dataset_choice import HomeFolder
from flows.summary import COLOURS

if TYPE_CHECKING:
    from evaluation.remedy import Remedy
    from flows.remedying import Remedies

COLUMNS = (
    ("learning", "probe/learning"),
    ("gap", "probe/gap"),
    ("copies", "memorisation/copy_rate"),
    ("drift", "prior_drift/relative"),
    ("background", "editability/obeyed"),
)


def remedy_run(
    run: Annotated[str, typer.Argument(help="A run's folder, its name, or a recipe's name (its newest run).")],
    step: Annotated[int, typer.Option(min=0, help="The checkpoint to help; 0: the last one.")] = 0,
    control: Annotated[str, typer.Option(help="Try a ControlNet for lines, too: its folder.")] = "",
    merge: Annotated[str, typer.Option(help="Try half of it mixed with half of this adapter or checkpoint, too.")] = "",
    text_encoder: Annotated[str, typer.Option(help="Try this model's text encoder instead of the base's own.")] = "",
    draw: Annotated[
        bool, typer.Option(help="Draw samples: without, copies are not looked for, and it takes seconds.")
    ] = True,
    home: HomeFolder = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON value instead of words.")] = False,
) -> None:
    """Try what helps an overfitted run without training again, and recommend.

    Lower strength, merging with the base block by block, the base's text encoder, earlier checkpoints: each is measured
    with the run's own figures, logged as a child of its MLflow run, and shown in one table. What needs training again
    is told as the command to run.
    """
    from evaluation.remedy import Remedy
    from flows.console import live_progress
    from flows.remedying import by_training, try_remedies
    from flows.run_choice import judged_run

    job, judgement = judged_run(run, home)
    chosen = step or judgement.last_step
    if chosen not in job.looked or not chosen:
        known = ", ".join(str(one) for one in job.looked if one)
        raise RecipeError(f"--step: {job.folder.name} has no checkpoint of step {chosen}; there are: {known}")
    asked: list[Remedy] = [
        Remedy.parse("weaken"),
        Remedy.parse("stop_earlier"),
        Remedy.parse("merge"),
        Remedy.parse({"kind": "replace_text_encoder", "model": text_encoder}),
    ]
    if merge:
        asked.append(Remedy.parse({"kind": "merge", "other": merge}))
    if control:
        asked.append(Remedy.parse({"kind": "control", "model": control}))
    with live_progress(quiet=as_json):
        found = try_remedies(job, asked, chosen, samples=draw)
    advice = by_training(job, found.tried[0].verdict, judgement.kept_step)
    recipe = write_recipe(found)
    files = written(found, recipe)
    logged_children(found, judgement.run, home)
    if as_json:
        said = {"run": job.folder.name, "step": chosen, "best": found.best.name, "files": files}
        tried = [one.as_json() for one in found.tried]
        print(json.dumps({**said, "tried": tried, "train_again": [change for _, change in advice]}, indent=1))
        return
    told(found, advice, recipe, files, Console(highlight=False))


def write_recipe(found: Remedies) -> Path:
    """The run's recipe as a file, for those remedies that train again; it trains on the same version of the data."""
    import yaml

    path = found.job.folder / "remedies" / "recipe.yaml"
    again = found.job.recipe.model_copy(update={"snapshot": found.job.snapshot.tag})
    dataset = {"dataset": found.job.recipe.dataset or found.job.recipe.name, "home": found.job.recipe.home}
    value = {**again.model_dump(mode="json"), **dataset}
    write_text(path, yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
    return path


def written(found: Remedies, recipe: Path) -> dict[str, str]:
    """The table as JSON and the samples as a picture, in the run's folder."""
    folder = recipe.parent
    files = {"table": folder / "remedies.json"}
    write_text(files["table"], json.dumps([one.as_json() for one in found.tried], indent=1))
    if found.sheet:
        files["samples"] = folder / "samples.png"
        with replacing(files["samples"]) as temporary:
            temporary.write_bytes(found.sheet)
    return {name: str(path) for name, path in files.items()}


def logged_children(found: Remedies, parent: str, home: str) -> None:
    """Each as a run of its own below the run that it helps, with the same figures."""
    import time

    from core.hashing import digest
    from evaluation.metric import logged
    from flows.home import Home
    from flows.spool import Figure
    from flows.tracking import Tracking

    tracking, now = Tracking(Home.of(home or found.job.recipe.home)), int(time.time() * 1000)
    for one in found.tried[1:]:
        key = digest("remedy", found.job.key, found.step, one.name)
        tags = {"velatura.remedy": one.kind, "velatura.verdict": one.verdict.state}
        run = tracking.begin_child(parent, key, f"{found.job.folder.name}: {one.name}", tags)
        tracking.tag(run, tags)
        tracking.log_figures(
            run, [Figure(name, value, found.step, now) for name, value in logged(one.measured).items()]
        )
        tracking.end(run)


def told(found: Remedies, advice: list[tuple[str, str]], recipe: Path, files: dict[str, str], console: Console) -> None:
    """Print one table, and what is recommended."""
    console.print(f"\n[bold]{escape(found.job.folder.name)}[/], step {found.step}", soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("tried", "verdict"):
        table.add_column(title, overflow="fold")
    known = [c for c in COLUMNS if any(figure_of(one.measured, c[1]) is not None for one in found.tried)]
    for title, _ in known:
        table.add_column(title, justify="right")
    for one in found.tried:
        colour = COLOURS.get(one.verdict.state, "red")
        values = [figure_of(one.measured, key) for _, key in known]
        name = escape(one.name if one.kind else "as it is")
        name = f"[bold]{name}[/]" if one is found.best else name
        cells = ["" if value is None else f"{value:+.2f}" for value in values]
        table.add_row(name, f"[{colour}]{one.verdict.state}[/]", *cells)
    console.print(table)
    best = found.best
    words = "it is best as it is" if not best.kind else f"{best.kind.replace('_', ' ')}: {best.name}"
    console.print(f"\n[bold]to do[/]    {escape(words)} ({best.verdict.state})", soft_wrap=True)
    for why, change in advice:
        console.print(f"[bold]or train[/] {escape(why)}:", soft_wrap=True)
        console.print(f"         velatura run {recipe} {change}", soft_wrap=True, markup=False)
    for name, path in files.items():
        console.print(f"{name:<8} {escape(path)}", soft_wrap=True)


def figure_of(measured: object, key: str) -> float | None:
    """One figure's value by ``measure/name``; None where it was not measured."""
    from collections.abc import Mapping

    assert isinstance(measured, Mapping)
    kind, _, name = key.partition("/")
    for figure in measured[kind].figures if kind in measured else ():
        if figure.name == name:
            return float(figure.value)
    return None
