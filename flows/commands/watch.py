"""`velatura ingest`, `retrain` and `watch`: data kept up to date, a model trained when it has changed enough."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.home import Home
from flows.recipe import Recipe

RecipeFile = Annotated[Path, typer.Argument(help="A recipe file, for example recipes/openmoji.yaml.")]
Changes = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes to it: train.steps=200")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of words, for scripts.")]


def ingest(recipe: RecipeFile, changes: Changes = None, as_json: Json = False) -> None:
    """Bring the dataset up to date with its source: curate, caption, augment. Nothing is trained."""
    from dataclasses import asdict

    chosen = ready(recipe, changes, as_json)
    from flows.console import live_progress
    from flows.sources_to_dataset import sources_to_dataset

    with live_progress(quiet=as_json):
        snapshot = sources_to_dataset(chosen)
    if as_json:
        print(json.dumps(asdict(snapshot), indent=1))


def retrain(
    recipe: RecipeFile,
    changes: Changes = None,
    only_ask: Annotated[bool, typer.Option("--ask", help="Say what would be done and why; train nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Bring the dataset up to date, and train if it has changed enough: what `retrain:` in the recipe says.

    The same data and recipe are never trained twice, whatever asks for it.
    """
    chosen = ready(recipe, changes, as_json)
    from rich.console import Console

    from flows.console import live_progress
    from flows.decide_and_train import decide_and_train
    from flows.summary import in_words

    with live_progress(quiet=as_json):
        decided = decide_and_train(chosen, only_ask)
    if as_json:
        print(json.dumps(decided.as_json(), indent=1))
    elif decided.outcome is not None:
        Console(highlight=False).print(in_words(decided.outcome), soft_wrap=True)


def watch(
    recipe: RecipeFile,
    changes: Changes = None,
    every: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two looks at a source that does not tell of changes.")
    ] = 10,
    quiet: Annotated[float, typer.Option(min=0, help="Seconds without a change before anything is done.")] = 30,
) -> None:
    """Watch the source until Ctrl-C; whenever it has changed and come to rest, do what `velatura retrain` does.

    Needs no server. A folder of this machine tells of a change itself (inotify); any other source, S3 too, is listed
    now and then. No picture is read to see a change.
    """
    chosen = ready(recipe, changes, quiet=False)
    from flows.console import live_progress
    from flows.decide_and_train import decide_and_train
    from flows.noticing import noticing
    from flows.watching import Watch

    def act() -> float | None:
        decision = decide_and_train(chosen).decision
        return None if decision.again_in is None else decision.again_in * 3600

    told = noticing(chosen.pictures)
    how = "as the kernel tells of changes" if told else f"every {every:g} s"
    print(f"watching {chosen.pictures.name}, {how}; Ctrl-C ends it", file=sys.stderr, flush=True)
    with live_progress():
        Watch(chosen.pictures, act, every=every, quiet=quiet, noticing=told).forever()


def ready(path: Path, changes: list[str] | None, quiet: bool) -> Recipe:
    """The recipe, checked, with a Prefect to run in; what is missing is told before Prefect is started."""
    import os

    from flows.recipe import read_recipe

    recipe = read_recipe(path, changes or [])
    assert recipe.family
    recipe.pictures.check()
    if not quiet:
        print(f"{recipe.name}: starting (Prefect takes a few seconds)", file=sys.stderr, flush=True)
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    from flows.embedded import start_prefect

    starting = start_prefect(Home.of(recipe.home))
    from flows import decide_and_train  # noqa: F401  imported while the server starts

    starting.wait()
    return recipe


def add_to(app: typer.Typer) -> None:
    """The three commands."""
    app.command("ingest")(ingest)
    app.command("retrain")(retrain)
    app.command("watch")(watch)
