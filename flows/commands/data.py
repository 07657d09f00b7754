"""`velatura data`: the snapshots of a dataset, what is in them, and getting it out."""

import json
import sys
from collections.abc import Iterable
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from flows.commands.export import export
from flows.dataset_choice import DatasetName, HomeFolder, open_dataset
from flows.home import Home
from store.store import Store

NOW = "now"
"""names the present state wherever a snapshot is named"""

data = typer.Typer(help="See, compare, name, restore and export the snapshots of a dataset.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of words, for scripts.")]
Version = Annotated[str, typer.Argument(metavar="SNAPSHOT", help="Such as data-0003, a name of yours, or `now`.")]
data.command()(export)


@data.callback()
def about() -> None:
    """See, compare, name, restore and export the snapshots (versions) of a dataset."""


@data.command()
def log(dataset: DatasetName = "", home: HomeFolder = "", as_json: Json = False) -> None:
    """List the snapshots of a dataset: when, how many pictures, your names for them, what was trained on them."""
    from flows.data_words import Entry, log_lines
    from flows.usage import uses

    store = open_dataset(dataset, home)
    names, dates, used = store.names(), store.dates(), uses(Home.of(home))
    entries = []
    for one in store.snapshots():
        when = dates.get(one.tag)
        taken = when.astimezone(UTC).isoformat(timespec="seconds") if when else ""
        mine = tuple(name for name, tag in names.items() if tag == one.tag)
        entries.append(Entry(one, taken, mine, tuple(used.get(one.manifest, ()))))
    told([entry.as_json() for entry in entries] if as_json else log_lines(entries))


@data.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="The earlier snapshot, or a name of yours.")],
    after: Annotated[str, typer.Argument(metavar="[B]", help="The later one; default: the present state.")] = NOW,
    dataset: DatasetName = "",
    home: HomeFolder = "",
    names: Annotated[int, typer.Option(min=0, help="How many pictures of each kind to name.")] = 5,
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures to this file, too.")] = None,
    as_json: Json = False,
) -> None:
    """Tell what was added, changed, removed, refused, captioned anew or moved between two snapshots."""
    from curation.versions import difference
    from flows.data_words import difference_json, difference_lines

    store = open_dataset(dataset, home)
    tags = version(store, before), version(store, after)
    found = difference(store, *tags)
    one, other = (tag or NOW for tag in tags)
    if html is not None:
        from flows.pages.difference import write_difference

        write_difference(store, html.absolute(), found, one, other, most=24)
    told(difference_json(found, one, other) if as_json else difference_lines(found, one, other, names))
    if html is not None and not as_json:
        print(f"page     {html.absolute()}")


@data.command()
def tag(
    snapshot: Version,
    name: Annotated[str, typer.Argument(help="Letters, digits, dots, hyphens and underscores.")],
    dataset: DatasetName = "",
    home: HomeFolder = "",
    move: Annotated[bool, typer.Option("--move", help="Take the name from the snapshot that has it.")] = False,
) -> None:
    """Give a snapshot a name of your own, to use wherever a snapshot is named. `now` takes a snapshot first."""
    store = open_dataset(dataset, home)
    with store.writer(waiting):
        found = store.name(store.snapshot().tag if snapshot == NOW else snapshot, name, move=move)
    print(f"{name} is {found.tag}: {found.count:,} pictures, manifest {found.manifest[:12]}")


@data.command()
def restore(snapshot: Version, dataset: DatasetName = "", home: HomeFolder = "", as_json: Json = False) -> None:
    """Make the dataset what it was at a snapshot. Nothing is lost: the state before is a snapshot, too."""
    from curation.versions import difference
    from flows.data_words import counts_in_words, difference_json

    store = open_dataset(dataset, home)
    with store.writer(waiting):
        before, after = store.restore(version(store, snapshot) or store.snapshot().tag)
    found = difference(store, before.tag, after.tag)
    if as_json:
        told({"before": before.tag, "now": after.tag, **difference_json(found, before.tag, after.tag)})
    elif before == after:
        told([f"nothing to do: the dataset is {before.tag}"])
    else:
        told(
            [
                f"the dataset is again what it was at {escape(snapshot)}, as {after.tag}: {after.count:,} pictures, "
                f"manifest {after.manifest[:12]}",
                f"against before: {counts_in_words(found)}",
                f"the state before is {before.tag}; `velatura data restore {before.tag}` goes back to it",
                "a run reads its source first: what the source holds now, it brings back in",
            ]
        )


@data.command()
def show(
    snapshot: Annotated[str, typer.Argument(help="Default: the present state.", show_default=False)] = NOW,
    picture: Annotated[str, typer.Option(help="Everything about one: its name, its id, or how its hash begins.")] = "",
    dataset: DatasetName = "",
    home: HomeFolder = "",
    as_json: Json = False,
) -> None:
    """Count what is in a snapshot by verdict, split, source, reason and size; or tell all about one picture."""
    store = open_dataset(dataset, home)
    chosen = version(store, snapshot)
    if picture:
        from curation.story import stories
        from flows.story_words import story_json, story_lines

        found = stories(store, picture, chosen)
        told([story_json(one) for one in found] if as_json else [line for one in found for line in story_lines(one)])
        return
    from dataclasses import asdict

    from curation.card import card
    from flows.data_words import card_lines

    counted = card(store, chosen)
    told(asdict(counted) if as_json else card_lines(counted, chosen or "the present state"))


def version(store: Store, name: str) -> str:
    """The tag of a snapshot or of a person's name for one; empty for the present state."""
    return "" if name == NOW else store.at(name).tag


def waiting(words: str) -> None:
    """Say whom the store is waited for."""
    print(words, file=sys.stderr, flush=True)


def told(what: Any) -> None:
    """Print lines of words, or anything else as JSON."""
    if isinstance(what, list) and all(isinstance(line, str) for line in what):
        lines: Iterable[str] = what
        Console(highlight=False, soft_wrap=True).print("\n".join(lines))
    else:
        print(json.dumps(what, indent=1, ensure_ascii=False))
