"""`velatura up`: both servers, pools, deployments and workers on this machine; `velatura deploy`: on any server."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from core.errors import ServerError
from flows import mlflow_pages
from flows.dataset_choice import HomeFolder
from flows.home import Home
from flows.stations import POOLS, ROOT, Ports, environment, servers, watchers, workers

RecipeFile = Annotated[
    Path | None, typer.Argument(help="Deploy this recipe and watch its source; default: the demo's, not watched.")
]


class Stopped(Exception):
    """Ctrl-C or SIGTERM."""


def up(
    recipe: RecipeFile = None,
    check: Annotated[bool, typer.Option("--check", help="Only say what is running and well.")] = False,
    mlflow_port: Annotated[int, typer.Option(help="Where MLflow listens.")] = 5000,
    prefect_port: Annotated[int, typer.Option(help="Where Prefect listens.")] = 4200,
    home: HomeFolder = "",
    as_json: Annotated[bool, typer.Option("--json", help="With --check: print one JSON value.")] = False,
) -> None:
    """Start MLflow, Prefect, the deployments and a worker for each pool on this machine, and keep them running.

    Everything listens on 127.0.0.1 only. Logs are in velatura-data/logs. Ctrl-C or SIGTERM stops all of it within ten
    seconds; a training that runs goes on next time: from the step it was at, if that ends in time, or else from its
    last checkpoint.
    """
    if recipe is not None:
        from flows.recipe import read_recipe

        chosen = read_recipe(recipe)
        assert chosen.family
        home = home or chosen.home
    place = Home.of(home)
    if check:
        tell_state(place, as_json)
        return
    ports = Ports(mlflow_port, prefect_port)
    from flows.keeping_up import Crew, check_free, note, write_note
    from flows.lost_runs import CALLED_LOST, EVERY, Lookout
    from store.lock import if_free

    place.root.mkdir(parents=True, exist_ok=True)
    with if_free(place.root / "up.lock") as free:
        if not free:
            raise ServerError(f"velatura up runs already for {place.root}; `velatura up --check` says how it is")
        check_free(ports)
        crew = Crew(place.root / "logs", environment(place, ports))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, stop)
        try:
            begin(crew, place, ports, recipe)
            write_note(place, ports, crew)
            print(links(ports, crew.logs), flush=True)
            lookout, look = Lookout(crew.env["PREFECT_API_URL"]), 0.0
            while True:
                time.sleep(1)
                crew.watch(lambda words: print(words, file=sys.stderr, flush=True))
                write_note(place, ports, crew)
                if time.monotonic() > look:
                    look = time.monotonic() + EVERY
                    with suppress(OSError):  # the server is away; it is asked again
                        for name in lookout.look():
                            print(f"{name} {CALLED_LOST}", file=sys.stderr, flush=True)
        except Stopped:
            print("stopping", flush=True)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # once is enough
            crew.stop()
            note(place).unlink(missing_ok=True)
    print("everything is stopped")


def begin(crew: object, home: Home, ports: Ports, recipe: Path | None) -> None:
    """Servers, then what stands on them, then workers."""
    from flows.keeping_up import Crew

    assert isinstance(crew, Crew)
    began = servers(home, ports)
    for station in began:
        print(f"starting {station.name}", file=sys.stderr, flush=True)
        crew.start(station)
    crew.wait_for(began)
    print("deploying", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "flows.bootstrap", *([str(recipe)] if recipe else [])]
    status, words = crew.through(command)
    if status:
        raise ServerError(f"the deployments could not be made:\n{words.strip()[-2000:]}")
    for station in [*workers(), *watchers(recipe)]:
        crew.start(station)


def links(ports: Ports, logs: Path) -> str:
    """Where to look."""
    return (
        f"runs         {mlflow_pages.experiments(ports.tracking)}\n"
        f"newest       {newest(ports)}\n"
        f"models       {mlflow_pages.models(ports.tracking)}\n"
        f"flows        {ports.dashboard}/runs\n"
        f"deployments  {ports.dashboard}/deployments\n"
        f"logs         {logs}\n"
        f"in a shell   export PREFECT_API_URL={ports.dashboard}/api MLFLOW_TRACKING_URI={ports.tracking}\n"
        "Ctrl-C stops all of it"
    )


def stop(_number: int, _frame: FrameType | None) -> None:
    """The handler of the signals that end it."""
    raise Stopped


def newest(ports: Ports) -> str:
    """The newest runs beside each other, for a browser."""
    from flows.front_page import front_page

    try:
        return front_page(ports.tracking)
    except OSError as error:
        return f"MLflow does not say: {error}"


def tell_state(home: Home, as_json: bool) -> None:
    """Print what runs; ends with status 1 where something is not well or nothing runs."""
    from flows.checking import checked

    found = checked(home)
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=1))
    else:
        for one in found:
            print(f"{'well' if one.well else 'not well':<9} {one.what:<33} {one.words}")
        if not found:
            print(nothing(home))
    if not found or not all(one.well for one in found):
        raise typer.Exit(1)


def nothing(home: Home) -> str:
    """What is told where nothing has been written down of what runs."""
    from store.lock import if_free

    if (home.root / "up.lock").exists():
        with if_free(home.root / "up.lock") as free:
            if not free:
                return f"`velatura up` is starting for {home.root}, or ends"
    return f"nothing runs for {home.root}; `velatura up` starts it"


def deploy(recipe: RecipeFile = None) -> None:
    """Make the pools, the automation and all deployments on the Prefect server of $PREFECT_API_URL; can be repeated."""
    if not os.environ.get("PREFECT_API_URL"):
        raise ServerError("set PREFECT_API_URL to the server to deploy to: export PREFECT_API_URL=http://HOST:4200/api")
    from flows.bootstrap import bootstrap
    from flows.recipe import read_recipe

    bootstrap(read_recipe(recipe) if recipe else None)
    print(f"deployed to {os.environ['PREFECT_API_URL']}; start a worker for each pool where it should run:")
    for pool in POOLS:
        print(f"  VELATURA_HOME={ROOT} prefect worker start --type process --pool {pool}")


def add_to(app: typer.Typer) -> None:
    """The two commands."""
    app.command("up")(up)
    app.command("deploy")(deploy)
