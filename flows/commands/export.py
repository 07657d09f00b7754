"""`velatura data export`: write a dataset for another program."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import yaml
from rich.console import Console
from rich.markup import escape

from core.errors import RecipeError
from flows.dataset_choice import open_dataset
from store.folder import MARKER
from store.store import Store


def export(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset's name, or the folder of its store.")],
    folder: Annotated[Path, typer.Argument(help="Where to write; it must be new or empty.")],
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Keys of the layout: megabytes=200")
    ] = None,
    layout: Annotated[
        str, typer.Option("--as", help="kohya, imagefolder, webdataset or parquet: `velatura kinds export`.")
    ] = "imagefolder",
    tag: Annotated[str, typer.Option(help="The snapshot, such as data-0003; default: the present state.")] = "",
    split: Annotated[
        Literal["train", "held_out", "all"], typer.Option(help="Which side; held-out pictures are kept apart.")
    ] = "all",
    derived: Annotated[bool, typer.Option(help="Pictures that augmentation made, too.")] = False,
    home: Annotated[str, typer.Option(help="The data folder; default $VELATURA_DATA or ./velatura-data.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON value instead of words.")] = False,
) -> None:
    """Write the kept pictures of a dataset as another program reads them; originals byte for byte, with captions.

    Importing the folder again gives the same contents, captions, tags, weights and names.
    """
    from curation.export import Export
    from curation.exporting import export as write
    from curation.exporting import leftovers
    from flows.console import live_progress

    kind = Export.parse({"kind": layout, **keys_of(changes or [])})
    store = opened(dataset, home)
    for stopped in leftovers(folder):
        print(f"{stopped} was left by an export that is still running or was stopped", file=sys.stderr)
    chosen = "" if tag in ("", "now") else store.at(tag).tag
    with live_progress(quiet=as_json):
        done = write(store, kind, folder, side=split, tag=chosen, derived=derived)
    if as_json:
        print(json.dumps({**asdict(done), "folder": str(done.folder)}, indent=1))
        return
    of_which = [f"{done.held_out} held out"] if done.held_out else []
    of_which += [f"{done.derived} derived"] if done.derived else []
    which = f" ({', '.join(of_which)})" if of_which else ""
    lines = [f"{done.pictures} pictures{which} as {done.kind}: {done.folder}"]
    Console(highlight=False).print("\n".join(escape(line) for line in (*lines, *done.notes)), soft_wrap=True)


def opened(dataset: str, home: str) -> Store:
    """The store in a folder, or that of a dataset in the home."""
    folder = Path(dataset).expanduser()
    if (folder / MARKER).is_file():
        return Store.open(folder)
    return open_dataset(dataset, home)


def keys_of(changes: list[str]) -> dict[str, Any]:
    """``megabytes=200`` as a key and its value."""
    keys = {}
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals or not key or key == "kind":
            raise RecipeError(f"{change!r}: a key of the layout is written KEY=VALUE, for example megabytes=200")
        keys[key] = yaml.safe_load(value)
    return keys
