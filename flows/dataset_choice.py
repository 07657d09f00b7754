"""Which dataset a command is about: the named one, or the only one there is in the home."""

import difflib
from pathlib import Path
from typing import Annotated

import typer

from core.errors import StoreError
from flows.home import Home
from store.folder import MARKER
from store.store import Store

DatasetName = Annotated[
    str, typer.Option("--dataset", help="The dataset's name (a recipe's `dataset` or `name`); default: the only one.")
]
HomeFolder = Annotated[str, typer.Option("--home", help="The data folder; default $VELATURA_DATA or ./velatura-data.")]


def open_dataset(name: str = "", home: str = "") -> Store:
    """The store of a dataset that is there; a `StoreError` that lists those that are where there is no such."""
    place = Home.of(home)
    return Store.open(place.store(chosen(place, name)))


def dataset_names(home: Home) -> list[str]:
    """The datasets of a home, by name."""
    folder = home.store("any").parent
    return sorted(marker.parent.name for marker in folder.glob(f"*/{MARKER}"))


def chosen(home: Home, name: str) -> str:
    """The name, if there is such a dataset; where none is given the only one's."""
    known = dataset_names(home)
    if not known:
        raise StoreError(
            f"there is no dataset in {home.root} yet; `velatura run RECIPE` makes one, --home names another"
        )
    if not name:
        if len(known) > 1:
            raise StoreError(f"{home.root} has {len(known)} datasets; name one with --dataset: {', '.join(known)}")
        return known[0]
    if name not in known:
        near = difflib.get_close_matches(Path(name).name, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise StoreError(f"{home.root} has no dataset {name!r}; {hint}there are: {', '.join(known)}")
    return name
