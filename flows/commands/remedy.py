"""`velatura remedy`: a run has overfitted; what helps without training again, and what to change if not?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typer.core import TyperCommand

from core.errors import MissingBase, RecipeError
from flows.dataset_choice import HomeFolder
from flows.summary import COLOURS

if TYPE_CHECKING:
    from evaluation.remedy import Remedy
    from flows.remedying import Remedies

ADVISED = "advised"
HALF = 0.5


class TrainsByDefault(TyperCommand):
    """`--train` may stand without names; it then means all that is advised."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Say so for who has not."""
        said: list[str] = []
        for at, word in enumerate(args):
            said.append(word)
            after = args[at + 1] if at + 1 < len(args) else "-"
            if word == "--train" and after.startswith("-"):
                said.append(ADVISED)
        return super().parse_args(ctx, said)


def remedy_run(
    run: Annotated[str, typer.Argument(help="A run's folder, its name, or a recipe's name (its newest run).")],
    step: Annotated[int, typer.Option(min=0, help="The checkpoint to help; 0: the last one.")] = 0,
    train: Annotated[
        str,
        typer.Option(
            metavar="[NAMES]",
            help="Train again, too: without names all that is advised, or some with commas between: fewer_steps, "
            "lower_learning_rate, lower_rank, fewer_modules, frozen_text_encoder, prior_preservation.",
        ),
    ] = "",
    control: Annotated[str, typer.Option(help="Try a ControlNet for lines, too: its folder.")] = "",
    merge: Annotated[str, typer.Option(help="Try it mixed with this adapter or checkpoint, too.")] = "",
    merge_share: Annotated[
        str,
        typer.Option(
            help="How much of that other one: 0.3,0.5 tries two mixes, up_blocks=0.5,down_blocks=0.8 one by block; a "
            "number beside blocks is for those that are not named. Blocks: down_blocks, mid_block, up_blocks, "
            "text_encoder, rest. Default: half of each."
        ),
    ] = "",
    text_encoder: Annotated[str, typer.Option(help="Try this model's text encoder instead of the base's own.")] = "",
    draw: Annotated[
        bool, typer.Option(help="Draw samples: without, copies are not looked for, and it takes seconds.")
    ] = True,
    home: HomeFolder = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON value instead of words.")] = False,
) -> None:
    """Try what helps an overfitted run, and recommend.

    Lower strength, merging with the base block by block, the base's text encoder, earlier checkpoints: each is measured
    with the run's own figures, logged as a child of its MLflow run, and shown in one table and on a page. What needs
    training again is told as the command to run; with --train it is trained on the same version of the data, and
    measured beside the others. No model is registered, and the champion stays.
    """
    from evaluation.remedy import Remedy
    from flows.console import live_progress
    from flows.home import Home
    from flows.remedy_files import log, written
    from flows.remedying import Course, try_remedies
    from flows.retraining import chosen
    from flows.run_choice import judged_run
    from flows.tracking import Tracking

    job, judgement = judged_run(run, home)
    last = step or judgement.last_step
    if last not in job.looked or not last:
        known = ", ".join(str(one) for one in job.looked if one)
        raise RecipeError(f"--step: {job.folder.name} has no checkpoint of step {last}; there are: {known}")
    asked: list[Remedy] = [
        Remedy.parse("weaken"),
        Remedy.parse("stop_earlier"),
        Remedy.parse("merge"),
        Remedy.parse({"kind": "replace_text_encoder", "model": text_encoder}),
        *mixes(merge, merge_share),
    ]
    if control:
        asked.append(Remedy.parse({"kind": "control", "model": control}))
    names = names_of(train)
    chosen(job, judgement.kept_step, names or ())  # a wrong name is told before anything is loaded
    tracking = Tracking(Home(job.folder.parents[1]))
    with live_progress(quiet=as_json):
        course = Course(judgement.run, tracking, judgement.kept_step, names)
        found = try_remedies(job, asked, last, course, samples=draw)
        files = written(found)
        log(found, files, judgement.run, tracking)
    if as_json:
        print(json.dumps(as_value(found, files), indent=1))
        return
    told(found, files, Console(highlight=False))


def names_of(train: str) -> list[str] | None:
    """What is to be trained: None for nothing, none for all that is advised."""
    if not train:
        return None
    return [] if train == ADVISED else list(dict.fromkeys(name.strip() for name in train.split(",")))


def mixes(other: str, shares: str) -> list[Remedy]:
    """The merges with another model that ``--merge`` and ``--merge-share`` ask for."""
    from evaluation.remedies.merge import PARTS
    from evaluation.remedy import Remedy

    if not other:
        if shares:
            raise RecipeError("--merge-share: name the other adapter or checkpoint with --merge FILE")
        return []
    if not Path(other).expanduser().exists():
        raise MissingBase(f"--merge: there is no adapter or checkpoint {other}")
    whole, parts = [], {}
    for one in filter(None, (part.strip() for part in shares.split(","))):
        name, equals, number = one.rpartition("=")
        if equals and (name not in PARTS or name in parts):
            why = "stands twice" if name in parts else f"is no block; known: {', '.join(PARTS)}"
            raise RecipeError(f"--merge-share {one}: {name!r} {why}")
        if equals:
            parts[name] = share(number, one)
        else:
            whole.append(share(number, one))
    weights = [{part: 1 - theirs for part, theirs in parts.items()}] if parts else []
    return [
        Remedy.parse({"kind": "merge", "other": other, "share": one, "weights": weights}) for one in whole or [HALF]
    ]


def share(number: str, said: str) -> float:
    """A share as it is typed."""
    try:
        found = float(number)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise RecipeError(f"--merge-share {said}: a share is a number from 0 to 1, such as 0.3,0.5 or up_blocks=0.5")
    return found


def as_value(found: Remedies, files: Mapping[str, Path]) -> dict[str, Any]:
    """For scripts."""
    return {
        "run": found.job.folder.name,
        "step": found.step,
        "best": found.best.name,
        "files": {name: str(path) for name, path in files.items()},
        "tried": [one.as_json() for one in found.tried],
        "train_again": [one.as_json() for one in found.advice],
        "notes": list(found.notes),
    }


def told(found: Remedies, files: Mapping[str, Path], console: Console) -> None:
    """Print one table, and what is recommended."""
    from flows.pages.remedies import command, sentence

    console.print(f"\n[bold]{escape(found.job.folder.name)}[/], step {found.step}", soft_wrap=True)
    console.print(table_of(found))
    for note in found.notes:
        console.print(f"[dim]{escape(sentence(note))}.[/]", soft_wrap=True)
    best = found.best
    console.print(f"\n[bold]to do[/]    {escape(found.to_do)} ({best.verdict.state})", soft_wrap=True)
    if best.kind and best.use:
        console.print(f"         {best.use}", soft_wrap=True, markup=False)
    for one in found.tried:
        if one.retrained is not None:
            console.print(f"[bold]trained[/]  {escape(one.name)}: {escape(one.use)}", soft_wrap=True)
    for again in found.advice:
        console.print(f"[bold]or train[/] {escape(again.why)} (--train {again.name}):", soft_wrap=True)
        console.print(f"         {command(files['recipe'], again.words)}", soft_wrap=True, markup=False)
    for name in ("page", "table", "samples"):
        if name in files:
            console.print(f"{name:<8} {escape(str(files[name]))}", soft_wrap=True)


def table_of(found: Remedies) -> Table:
    """A row for each that was tried; without intervals, which the page has."""
    from evaluation.sections import figure_of
    from flows.pages.remedies import COLUMNS, has, name_of

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("tried", "verdict"):
        table.add_column(title, overflow="fold")
    known: Sequence[tuple[str, str]] = [c for c in COLUMNS if any(has(one, c[1]) for one in found.tried)]
    for title, _ in known:
        table.add_column(title, justify="right")
    for one in found.tried:
        colour = COLOURS.get(one.verdict.state, "red")
        figures = [figure_of(one.measured, key) for _, key in known]
        name = escape(name_of(one))
        cells = ["" if figure is None else f"{figure.value:+.2f}" for figure in figures]
        name = f"[bold]{name}[/]" if one is found.best else name
        table.add_row(name, f"[{colour}]{one.verdict.state}[/]", *cells)
    return table
