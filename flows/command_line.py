"""The command `velatura`: run a recipe, list the kinds, open MLflow, check the installation."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from core.errors import VelaturaError
from flows import mlflow_pages
from flows.commands.captions import captions
from flows.commands.clean import clean
from flows.commands.data import data
from flows.commands.evaluate import evaluate_adapter
from flows.commands.importing import import_config
from flows.commands.ladder import ladder
from flows.commands.lora import lora
from flows.commands.models import add_to as add_models
from flows.commands.remedy import TrainsByDefault, remedy_run
from flows.commands.report import report
from flows.commands.search import search_pictures
from flows.commands.up import add_to as add_servers
from flows.commands.watch import add_to as add_watching
from flows.dataset_choice import open_dataset
from flows.home import Home
from store.faults import is_full

if TYPE_CHECKING:
    from flows.recipe import Recipe
    from flows.summary import Outcome

app = typer.Typer(
    help="From a pile of pictures to a fine-tuned Stable Diffusion model that is known not to be overfitted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Interrupted(Exception):
    """Ctrl-C; said in words by `main`."""


Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of words, for scripts.")]


@app.command()
def run(
    recipe: Annotated[Path, typer.Argument(help="A recipe file, for example recipes/openmoji.yaml.")],
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes to it: train.steps=200 name=mine")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a recipe: curate, caption, augment, train, evaluate, register.

    What has been done before is not done again; a run that was interrupted goes on where it stopped. Weights, report
    and pictures go to velatura-data/runs/NAME-KEY/ (elsewhere with home=FOLDER or $VELATURA_DATA), figures to MLflow:
    `velatura ui`. What a recipe can say: `velatura kinds recipe`, `velatura kinds FAMILY`, and the files in recipes/.
    """
    from flows.recipe import read_recipe

    chosen = read_recipe(recipe, changes or [])
    assert chosen.family  # a missing base, folder or snapshot is told before Prefect is started
    if chosen.snapshot:
        open_dataset(chosen.dataset or chosen.name, chosen.home).at(chosen.snapshot)
    else:
        chosen.pictures.check()
    if chosen.train.start_from:
        from training.beginning import identity_of

        identity_of(chosen.train.start_from)  # a missing file is told now, too
    from flows.summary import in_words
    from flows.unchanged import LastTime, unchanged

    last = LastTime.of(chosen)
    try:
        outcome = unchanged(chosen) if last.is_same else None
        if outcome is None:
            outcome = run_in_flow(chosen, as_json)
            last.through()
    except KeyboardInterrupt as error:  # typer would end without a word
        raise Interrupted from error
    if as_json:
        print(json.dumps(outcome.as_json(), indent=1))
    else:
        Console(highlight=False).print(in_words(outcome), soft_wrap=True)


def run_in_flow(recipe: "Recipe", as_json: bool) -> "Outcome":
    """The flow, with a Prefect to run in; what it is doing is shown."""
    if not as_json:
        print(f"{recipe.name}: starting (Prefect takes a few seconds)", file=sys.stderr, flush=True)
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")  # errors are told once, in words, by `main`
    from flows.embedded import start_prefect

    starting = start_prefect(Home.of(recipe.home))
    from flows.console import live_progress
    from flows.dataset_to_model import dataset_to_model

    starting.wait()
    with live_progress(quiet=as_json):
        return dataset_to_model(recipe)


@app.command()
def kinds(
    family: Annotated[str, typer.Argument(help="Only this family, with all keys: recipe, filter, transform ...")] = "",
    as_json: Json = False,
) -> None:
    """List every family and its kinds, with one line of help each: what a recipe can name."""
    from flows.kinds import all_kinds, told

    found = all_kinds(family)
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        told(found, Console(highlight=False), keys=bool(family))


@app.command()
def ui(
    home: Annotated[str, typer.Option(help="The data folder; default $VELATURA_DATA or ./velatura-data.")] = "",
    port: Annotated[int, typer.Option(help="Where to listen, on this machine only.")] = 5000,
) -> None:
    """Open MLflow on this project's runs: compare them, look at pictures and reports."""
    from flows.tracking import Tracking

    place = Home.of(home)
    tracking = Tracking(place)
    address = f"http://127.0.0.1:{port}"
    print(f"runs     {mlflow_pages.runs(address, tracking.experiment)}")
    print(f"compare  {mlflow_pages.charts(address, tracking.experiment)}")
    print(f"models   {mlflow_pages.models(address)}\nCtrl-C stops it")
    sys.stdout.flush()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", place.tracking, "--default-artifact-root", place.artifacts.as_uri()]
    os.execv(sys.executable, command)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check the installation: builds, pins, GPU, disk, the base model, whether the data folder can be written."""
    from flows.doctor import examine

    findings = examine(Home.of())
    if as_json:
        print(json.dumps([finding.as_json() for finding in findings], indent=1))
    else:
        console = Console(highlight=False)
        for finding in findings:
            mark = {"well": "[green]well[/]", "note": "[yellow]note[/]", "wrong": "[red]wrong[/]"}[finding.state]
            console.print(f"{mark:>16}  [bold]{finding.what:<18}[/] {escape(finding.words)}", soft_wrap=True)
        wrong = sum(finding.state == "wrong" for finding in findings)
        print("\nready: velatura run RECIPE" if not wrong else f"\nnot ready: {wrong} of these must be put right")
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(1)


app.command("search")(search_pictures)
app.command("evaluate")(evaluate_adapter)
app.command("remedy", cls=TrainsByDefault)(remedy_run)
app.command("ladder")(ladder)
add_watching(app)
add_models(app)
add_servers(app)
app.command("clean")(clean)
app.add_typer(data, name="data")
app.add_typer(captions, name="captions")
app.add_typer(report, name="report")
app.add_typer(lora, name="lora")
app.command("import")(import_config)


def main() -> Any:
    """Run the command line; a `VelaturaError` is told in words and ends with status 2."""
    try:
        return app()
    except VelaturaError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            f"[bold red]{title(error)}[/]: {escape(str(error))}"
        )
        sys.exit(2)
    except (Exception, KeyboardInterrupt) as error:
        if was_interrupted(error):
            print("interrupted; the same command goes on where it stopped", file=sys.stderr)
            sys.exit(130)
        if not is_full(error):
            raise
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            "[bold red]disk full[/]: no room left; all that was written before is still there. Make room and run again",
        )
        sys.exit(2)


def was_interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is what all this began with; Prefect may fail on its way out and hide it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def title(error: VelaturaError) -> str:
    """`RecipeError` as "recipe error", `DiskFull` as "disk full"."""
    return "".join(f" {c.lower()}" if c.isupper() else c for c in type(error).__name__).strip()


if __name__ == "__main__":
    main()
