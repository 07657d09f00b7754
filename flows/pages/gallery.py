"""Pictures of a dataset on a page: small, with words below; a frame with the reason where there is no picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from core.errors import StoreError
from core.pixels import Pixels
from curation.decode import Undecodable, decode
from curation.pictures import ANY
from evaluation.tags import data_uri
from store.store import Store

SIDE = 180
"""pixels: longest side of a picture on the page"""


class Gallery:
    """Shows pictures of one store, each decoded at most once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._made: dict[str, str] = {}

    def picture(self, sha256: str, alt: str, missing: str = "no picture") -> str:
        """A picture by the hash of its bytes; a frame with the word ``missing`` where it cannot be shown."""
        if sha256 not in self._made:
            pixels = self._pixels(sha256)
            self._made[sha256] = data_uri(pixels, SIDE) if pixels is not None else ""
        uri = self._made[sha256]
        return f'<img src="{uri}" alt="{escape(alt)}">' if uri else f'<div class="missing">{escape(missing)}</div>'

    def _pixels(self, sha256: str) -> Pixels | None:
        try:
            return decode(self._store.image(sha256), max_pixels=ANY).pixels
        except (StoreError, Undecodable):
            return None

    def figure(self, row: Mapping[str, object], words: str, missing: str = "no picture") -> str:
        """A picture with its name and some words; ``row`` has ``sha256`` and ``name``."""
        name = str(row["name"])
        return figure(self.picture(str(row["sha256"]), name, missing), name, words)


def figure(pictures: str, name: str, words: str) -> str:
    """Pictures, as HTML, with a name and some words below."""
    said = f"<br>{escape(shortened(words))}" if words else ""
    return f"<figure>{pictures}<figcaption><b>{escape(shortened(name, 60))}</b>{said}</figcaption></figure>"


def gallery(figures: Iterable[str], *, wide: bool = False) -> str:
    """Figures side by side."""
    shown = "".join(figures)
    return f'<div class="gallery{" wide-ones" if wide else ""}">{shown}</div>' if shown else ""


def spread(total: int, most: int) -> list[int]:
    """At most so many of ``total`` positions, evenly spread: what is shown is not only what comes first by name."""
    step = max(1.0, total / max(1, most))
    return [int(at * step) for at in range(min(most, total))]


def of(shown: int, total: int) -> str:
    """How many of how many are shown; empty where all are."""
    return f" {shown:,} of {total:,} are shown." if shown < total else ""


def shortened(words: str, most: int = 160) -> str:
    """Words cut to a length that a caption can take."""
    return words if len(words) <= most else f"{words[: most - 1]}…"
