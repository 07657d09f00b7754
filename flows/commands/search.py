"""`velatura search`: find pictures of a dataset by words or by a picture, in a table, a page or JSON."""

import json
import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from core.caption import Caption
from core.errors import RecipeError, SourceError, StoreError
from core.pixels import Pixels
from core.record import Record
from curation.search import Hit, search, searchable
from flows.dataset_choice import DatasetName, HomeFolder, open_dataset
from store.store import Store

Verdicts = Literal["kept", "refused", "removed", "all"]
Splits = Literal["train", "held_out", "all"]


def search_pictures(
    words: Annotated[str, typer.Argument(help='What to look for, such as "a red car".', show_default=False)] = "",
    picture: Annotated[Path | None, typer.Option(help="Look for pictures like this file instead.")] = None,
    dataset: DatasetName = "",
    home: HomeFolder = "",
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many pictures to find.")] = 24,
    clip: Annotated[str, typer.Option(help="Which CLIP: pocket, local-dir:FOLDER, or MODEL:FILE.")] = "pocket",
    verdict: Annotated[Verdicts, typer.Option(help="Only such pictures.")] = "kept",
    split: Annotated[Splits, typer.Option(help="Only pictures of this side.")] = "all",
    derived: Annotated[bool, typer.Option("--derived", help="Look through augmented pictures, too.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with the pictures to this file.")] = None,
    show: Annotated[bool, typer.Option("--open", help="Write the page and open it in a browser.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON value instead of words, for scripts.")
    ] = False,
) -> None:
    """Find pictures by words, or by a picture that they look like.

    They are compared as a CLIP sees them. What it sees is kept in the dataset, so only the first search takes long.
    The pocket CLIP knows emoji and colours; name another one for photographs.
    """
    if bool(words.strip()) == (picture is not None):
        raise RecipeError('search: name either words or a picture: velatura search "a red apple", or --picture FILE')
    from flows.console import live_progress
    from flows.pages.search import write_page

    like = None if picture is None else pixels_of(picture)
    store = open_dataset(dataset, home)
    wanted = (None if verdict == "all" else verdict, None if split == "all" else split)
    records = searchable(store.records(), *wanted, derived=derived)
    if not records:
        raise StoreError(f"{Path(store.uri).name} has no pictures of verdict {verdict} and split {split}")
    with live_progress(quiet=as_json):
        hits = hits_of(store, records, words if like is None else like, clip, count)
    captions = store.captions()
    path = (html or Path(f"search-{Path(store.uri).name}.html")).absolute() if html or show else None
    if path is not None:
        write_page(store, path, words or f"like {picture}", hits, captions, len(records), like=like)
    if as_json:
        print(json.dumps([as_row(hit, captions) for hit in hits], indent=1))
        return
    told(hits, captions, len(records))
    if path is not None:
        print(f"page     {path}")
    if show and path is not None:
        webbrowser.open(path.as_uri())


def pixels_of(picture: Path) -> Pixels:
    """A file of the user's as pixels; `SourceError` where it is none."""
    from curation.decode import Undecodable, decode

    try:
        return decode(picture.expanduser().read_bytes()).pixels
    except OSError as error:
        raise SourceError(f"{picture} cannot be read: {error.strerror or error}") from None
    except Undecodable as error:
        raise SourceError(f"{picture} cannot be looked for: {error.reason.words}") from None


def hits_of(store: Store, records: Sequence[Record], asked: str | Pixels, clip: str, count: int) -> list[Hit]:
    """What is nearest to words or to a picture. Vectors that are missing are made, and kept for the next time."""
    from backbones.embedding import Embedder
    from flows.job import reader

    embedder = Embedder.named(clip, store.cache("embeddings"))
    vectors = embedder.pictures(records, reader(store))
    queries = embedder.texts([asked]) if isinstance(asked, str) else embedder.clip.embed_pictures([asked])
    return search(queries[0], records, vectors, count)


def as_row(hit: Hit, captions: Mapping[str, Caption]) -> dict[str, Any]:
    """One hit as JSON can say it."""
    one = hit.record
    said = captions[one.id].text if one.id in captions else ""
    row = {"name": one.name, "cosine": round(hit.cosine, 4), "verdict": one.verdict, "split": one.split}
    return {**row, "caption": said, "id": one.id, "sha256": one.sha256, "uri": one.uri}


def told(hits: Sequence[Hit], captions: Mapping[str, Caption], total: int) -> None:
    """Print the hits for people, the nearest first."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("cosine", "picture", "is", "caption"):
        table.add_column(title, overflow="fold")
    for hit in hits:
        row = as_row(hit, captions)
        state = row["split"].replace("_", " ") if row["verdict"] == "kept" else row["verdict"]
        table.add_row(f"{hit.cosine:.3f}", escape(row["name"]), state, escape(row["caption"]))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"[dim]the nearest {len(hits):,} of {total:,}[/]")
