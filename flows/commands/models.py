"""`velatura compare`, `promote`, `rollback` and `pull`: runs beside each other, and the registry."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flows.dataset_choice import HomeFolder
from flows.home import Home

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of words, for scripts.")]
Model = Annotated[
    str, typer.Argument(metavar="NAME[@VERSION]", help="A registered model: mine, mine@3, mine@champion.")
]


def compare(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Runs by name or id, or NAME@VERSION; default: newest.")
    ] = None,
    recipe: Annotated[str, typer.Option(help="Only runs of the recipe of this name.")] = "",
    home: HomeFolder = "",
    as_json: Json = False,
) -> None:
    """Put runs beside each other: figures, the parameters in which they differ, and the link to MLflow."""
    from flows import comparing_runs

    place = Home.of(home)
    found = comparing_runs.rows(place, runs or [], recipe)
    server = os.environ.get("MLFLOW_TRACKING_URI", "")
    address = comparing_runs.link(place, found, server if server.startswith("http") else "http://127.0.0.1:5000")
    if as_json:
        print(json.dumps(comparing_runs.as_json(found, address), indent=1))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(comparing_runs.table_of(found))
    hint = "" if server else "  (while `velatura up` or `velatura ui` runs)"
    print(f"\n{address}{hint}")


def promote(
    model: Model,
    force: Annotated[bool, typer.Option("--force", help="Do not ask the guard.")] = False,
    home: HomeFolder = "",
    as_json: Json = False,
) -> None:
    """Make a version the champion: NAME means its challenger.

    The guard allows it if the verdict is healthy and it beats the champion on held-out pictures that neither of the two
    was trained on. Ends with status 1 where it does not.
    """
    from flows.console import live_progress
    from flows.contest import contest
    from flows.reaching import kept_trying
    from flows.registry import CHALLENGER, Promotion, Registry, Version

    place = Home.of(home)

    def put() -> tuple[Version, Promotion]:
        registry = Registry(place)
        version = registry.named(model, default=CHALLENGER)
        if force:
            registry.crown(version)
            return version, Promotion(True, "the guard was not asked")
        with live_progress(quiet=True):
            return version, contest(place, registry, version)

    version, found = kept_trying(place.tracking, put, patience=0)
    if as_json:
        print(json.dumps({"model": version.name, "version": version.number, **asdict(found)}, indent=1))
    else:
        print(f"{version.words} is{'' if found.allowed else ' not'} the champion: {found.reason}")
    if not found.allowed:
        raise typer.Exit(1)


def rollback(
    name: Annotated[str, typer.Argument(help="A registered model.")], home: HomeFolder = "", as_json: Json = False
) -> None:
    """Make the champion before this one the champion again."""
    from flows.reaching import kept_trying
    from flows.registry import Registry

    place = Home.of(home)
    gone, now = kept_trying(place.tracking, lambda: Registry(place).roll_back(name), patience=0)
    if as_json:
        print(json.dumps({"model": name, "before": gone, "champion": now.number}, indent=1))
    else:
        print(f"{now.words} is the champion again, instead of version {gone}")


def pull(
    model: Model,
    to: Annotated[Path, typer.Option(help="The folder to write into, such as ComfyUI/models/loras.")] = Path(),
    file: Annotated[str, typer.Option(help="Another of its files, such as pytorch_lora_weights.safetensors.")] = "",
    home: HomeFolder = "",
    as_json: Json = False,
) -> None:
    """Write a registered model's file for ComfyUI or a web UI, its metadata saying which version it is."""
    from flows.pulling import pull as write
    from flows.registry import Registry

    place = Home.of(home)
    registry = Registry(place)
    version = registry.named(model)
    path = write(registry, version, place, to.expanduser().absolute(), file)
    if as_json:
        print(json.dumps({"file": str(path), **asdict(version)}, indent=1))
    else:
        print(f"{version.words} ({version.verdict or 'not judged'}, data {version.dataset or 'unknown'}): {path}")


def add_to(app: typer.Typer) -> None:
    """The four commands."""
    for name, command in (("compare", compare), ("promote", promote), ("rollback", rollback), ("pull", pull)):
        app.command(name)(command)
