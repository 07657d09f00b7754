"""The page of `velatura search`: what was looked for, and the pictures that were found, the nearest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from core.caption import Caption
from core.files import write_text
from core.pixels import Pixels
from curation.search import Hit
from evaluation.document import document
from evaluation.tags import img
from flows.pages.gallery import SIDE, Gallery, gallery
from store.store import Store


def write_page(
    store: Store,
    path: Path,
    asked: str,
    hits: Sequence[Hit],
    captions: Mapping[str, Caption],
    total: int,
    *,
    like: Pixels | None = None,
) -> None:
    """Write the page; it holds everything that it shows."""
    eyes, name = Gallery(store), Path(store.uri).name
    header = (
        f'<p class="over">{escape(name)} · search</p><h1>{escape(asked)}</h1>'
        f"<p>The nearest {len(hits):,} of {total:,} pictures, as a CLIP sees them.</p>"
    )
    query = "" if like is None else gallery([f"<figure>{img(like, 'what was looked for', most=SIDE)}</figure>"])
    found = gallery(eyes.figure(row_of(hit), words_of(hit, captions)) for hit in hits)
    write_text(path, document(f"{name}: {asked}", header, [query, found], "Velatura: a search."))


def row_of(hit: Hit) -> dict[str, object]:
    """What a gallery asks for."""
    return {"sha256": hit.record.sha256, "name": hit.record.name}


def words_of(hit: Hit, captions: Mapping[str, Caption]) -> str:
    """What stands below a picture."""
    record = hit.record
    state = record.split.replace("_", " ") if record.verdict == "kept" else record.verdict
    said = captions[record.id].text if record.id in captions else ""
    return " · ".join(part for part in (f"{hit.cosine:.3f}", state, said) if part)
