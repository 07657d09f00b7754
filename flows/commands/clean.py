"""`velatura clean`: what the data folder holds that nothing needs any more."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from flows.dataset_choice import HomeFolder


def clean(
    delete: Annotated[bool, typer.Option("--delete", help="Remove it; without this it is only listed.")] = False,
    days: Annotated[float, typer.Option(min=0, help="Only what has been untouched for so many days.")] = 14,
    cache: Annotated[
        float | None,
        typer.Option(min=0, help="Also latents and text states beyond so many GB a dataset that no run holds."),
    ] = None,
    home: HomeFolder = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON value instead of words.")] = False,
) -> None:
    """List what nothing needs any more: checkpoints of what is finished, half files, caches, old versions.

    Nothing that a snapshot, a run or the registry holds is among it; your pictures are never touched.
    """
    from flows.console import live_progress
    from flows.home import Home
    from flows.housekeeping import keep_house

    with live_progress(quiet=as_json):
        kept = keep_house(Home.of(home), days, delete, cache)
    if as_json:
        print(json.dumps(kept.as_json(), indent=1))
        return
    size = sum(one.size for one in kept.found) / 2**20
    if not kept.found:
        print(f"nothing can go that is older than {days:g} days")
    elif delete:
        print(f"{len(kept.found)} removed, {kept.freed / 2**20:.1f} MB freed")
    else:
        print(f"{len(kept.found)} can go, {size:.1f} MB; the same with --delete removes them")
