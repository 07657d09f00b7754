"""`velatura captions`: look over, edit, replace, export and import captions, and take the last change back."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from captioning.exchange import changes, suffix_of, table, written
from captioning.replacing import replaced
from core.caption import Caption
from core.errors import StoreError
from core.files import write_text
from core.record import Record
from flows.dataset_choice import DatasetName, HomeFolder, open_dataset
from store.store import Store

captions = typer.Typer(help="Look over, edit, replace, export and import captions.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of words, for scripts.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")]
SHOWN = 20


@captions.callback()
def about() -> None:
    """Look over, edit, replace, export and import captions.

    What you write wins over what a captioner wrote, and no run ever overwrites it.
    """


@captions.command()
def lint(
    recipe: Annotated[Path | None, typer.Option(help="Take trigger, base and vocabulary from this recipe.")] = None,
    trigger: Annotated[str, typer.Option(help="The word that every caption has to say.")] = "",
    base: Annotated[str, typer.Option(help="The base that reads the captions: `pocket` or its folder.")] = "",
    clip: Annotated[str, typer.Option(help="The CLIP that looks whether captions belong to their pictures.")] = "",
    look: Annotated[
        bool,
        typer.Option(help="Look at the pictures: are captions about them, have those with colour words colour?"),
    ] = True,
    dataset: DatasetName = "",
    home: HomeFolder = "",
    as_json: Json = False,
) -> None:
    """Find what may be wrong: captions of other pictures, no trigger, tags everywhere, contradictions, tails."""
    from flows.captions_lint import examined, in_words, ruler_of
    from flows.console import live_progress
    from flows.recipe import read_recipe

    if recipe is not None and not dataset:
        read = read_recipe(recipe)
        dataset = read.dataset or read.name
    store = open_dataset(dataset, home)
    with live_progress(quiet=as_json):
        found = examined(store, ruler_of(store, recipe, trigger, base, clip, look=look))
    if as_json:
        print(json.dumps(in_words(found, as_json=True), indent=1, ensure_ascii=False))
    else:
        for line in in_words(found):
            told(line)


@captions.command()
def edit(
    picture: Annotated[str, typer.Argument(help="The picture's name or id.")],
    text: Annotated[str, typer.Argument(help='What you say of it; "" gives the automatic caption back.')],
    dataset: DatasetName = "",
    home: HomeFolder = "",
) -> None:
    """Say yourself what one picture shows."""
    store = open_dataset(dataset, home)
    record = one(store, picture)
    apply(store, {record.id: text.strip()}, f"edit {record.name}", dry_run=False)


@captions.command()
def replace(
    old: Annotated[str, typer.Argument(help="What to look for.")],
    new: Annotated[
        str, typer.Argument(help='What to put there; "" takes it away. With --regex, \\1 is the first group.')
    ],
    regex: Annotated[bool, typer.Option("--regex", help="OLD is a regular expression.")] = False,
    ignore_case: Annotated[bool, typer.Option("--ignore-case", help="Find it in capitals, too.")] = False,
    dry_run: DryRun = False,
    dataset: DatasetName = "",
    home: HomeFolder = "",
) -> None:
    """Find and replace in all captions. What changes is yours from then on: no run writes over it."""
    store = open_dataset(dataset, home)
    known = store.captions()
    said = {record.id: known[record.id] for record in pictures(store) if record.id in known}
    found = replaced(said, old, new, regex=regex, ignore_case=ignore_case)
    apply(store, found, f"replace {old!r} by {new!r}", dry_run=dry_run)


@captions.command()
def export(
    file: Annotated[Path, typer.Argument(help="A new .csv or .jsonl file.")],
    dataset: DatasetName = "",
    home: HomeFolder = "",
) -> None:
    """Write all captions to a file, to be changed in a spreadsheet or by a script, and imported again."""
    suffix = suffix_of(file)
    if file.exists():
        raise StoreError(f"{file} is there already; name a new file")
    store = open_dataset(dataset, home)
    rows = table(pictures(store), store.captions())
    write_text(file, written(rows, suffix))
    told(f"{file}: {len(rows)} captions")


@captions.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A .csv or .jsonl file with `id` (or `name`) and `caption`.")],
    dry_run: DryRun = False,
    dataset: DatasetName = "",
    home: HomeFolder = "",
) -> None:
    """Take captions from a file. One that is as it was stays as it is; an empty one gives the automatic one back."""
    store = open_dataset(dataset, home)
    apply(store, changes(file, pictures(store), store.captions()), f"import {file.name}", dry_run=dry_run)


@captions.command()
def undo(dataset: DatasetName = "", home: HomeFolder = "") -> None:
    """Take the last edit, replacement or import back; again takes back the one before."""
    done = open_dataset(dataset, home).undo_edit()
    if done is None:
        told("there is nothing to take back")
        return
    last, made = done
    back = len(made.changes) if made is not None else 0
    told(f"taken back: {last.what} ({last.made}); {back} captions are as before")
    if back < len(last.changes):
        told(f"{len(last.changes) - back} were changed since and stay as they are")


def pictures(store: Store) -> list[Record]:
    """What is captioned: the kept real pictures. Those made from them follow at the next run."""
    return [record for record in store.records() if record.verdict == "kept" and record.depth == 0]


def one(store: Store, name: str) -> Record:
    """The picture of that name or id; a `StoreError` if there is none, or more than one."""
    found = [record for record in pictures(store) if name in (record.id, record.name)]
    if len(found) != 1:
        why = "has no picture" if not found else f"has {len(found)} pictures"
        raise StoreError(f"{store.uri} {why} called {name!r}; `velatura captions export FILE` lists names and ids")
    return found[0]


def apply(store: Store, texts: Mapping[str, str], what: str, *, dry_run: bool) -> None:
    """Show what changes, and change it unless it is a ``dry_run``."""
    known, names = store.captions(), {record.id: record.name for record in pictures(store)}
    for key, text in list(texts.items())[:SHOWN]:
        before = known.get(key, Caption(key))
        told(f"{names[key]}\n  - {before.text}\n  + {text or before.automatic or '(none)'}")
    if len(texts) > SHOWN:
        told(f"... and {len(texts) - SHOWN} more")
    if dry_run:
        told(f"{len(texts)} captions would change; nothing was written")
        return
    made = store.edit_captions(texts, what)
    told(f"{len(made.changes)} captions changed; `velatura captions undo` takes it back" if made else "nothing changed")


def told(line: str) -> None:
    """One line for people."""
    Console(highlight=False).print(escape(line), soft_wrap=True)
