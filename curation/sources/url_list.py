"""A list of web addresses in a .txt, .csv, .tsv, .jsonl, .json or .parquet file; captions in a column come along."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from pydantic import Field

from core.errors import SourceError
from curation.downloads import Downloads
from curation.places import Place, is_url, is_web
from curation.sidecars import LICENCE, licence_of
from curation.source import Found, Refused, Source, failing
from curation.tables import CAPTION, Table, words_of

URL = ("url", "image_url", "img_url", "urls", "link", "image", "src")
"""what a column of addresses is usually called"""


class UrlList(Source):
    """Each picture is downloaded once; what failed is tried again at the next run, and told as `unreadable` until then.

    Addresses may be ``http(s)://``, or ``s3://`` and other ones that fsspec knows. An address that is listed twice
    is one picture.
    """

    path: str
    """the file; itself a path or a URL"""
    label: str = ""
    """the source's name; empty: the file's name without its suffix"""
    url: str = ""
    """the column of addresses; empty: the first that is called url, image_url, link ..."""
    caption: str = ""
    """the column of captions; empty: the first that is called caption, text, prompt ..., if there is one"""
    retries: int = Field(default=3, ge=0, le=20)
    """further tries after a failure that may pass: no connection, a cut body, the statuses 408, 425, 429, 500 to 504"""
    pause: float = Field(default=0.5, ge=0, le=60)
    """seconds before the first of them; each further one waits twice as long, or as the server asks"""
    seconds: float = Field(default=30.0, gt=0)
    """how long one try may take"""
    at_once: int = Field(default=8, ge=1, le=256)
    """downloads at the same time"""
    max_bytes: int = Field(default=64 << 20, ge=1)
    """of one picture; larger ones are refused"""
    heed: tuple[str, ...] = ("noai", "noimageai", "noindex", "noimageindex")
    """directives of the header X-Robots-Tag by which a server says that a picture is not to be used so"""

    @property
    def name(self) -> str:
        return self.label or Place.of(self.path).name.partition(".")[0] or "urls"

    @property
    def waits(self) -> int:
        return self.at_once

    def pictures(self) -> Iterator[Found]:
        table = Table(Place.of(self.path))
        url = table.column(self.url, URL, "url")
        if not url:
            raise SourceError(
                f"{self.path} has no column called {', '.join(URL)}; it has {', '.join(table.columns) or 'none'}: "
                "name it in `url`"
            )
        caption = table.column(self.caption, CAPTION, "caption")
        downloads = Downloads(
            self.retries + 1, self.seconds, self.max_bytes, self.pause, frozenset(self.heed), self.at_once
        )
        found: dict[str, Found] = {}
        licence = table.column("", LICENCE, "")
        told = [one for one in (caption, licence) if one]
        for address, *values in table.rows(url, *told):
            row = dict(zip(told, values, strict=True))
            picture = asked_for(str(address or "").strip(), words_of(row.get(caption)), downloads)
            picture = replace(picture, licence=licence_of(row.get(licence)))
            known = found.get(picture.name)
            if known is None:
                found[picture.name] = picture
            elif not known.caption:
                found[picture.name] = replace(known, caption=picture.caption)
        if not found:
            raise SourceError(f"{self.path} lists no address")
        yield from found.values()


def asked_for(address: str, caption: str, downloads: Downloads) -> Found:
    """One line of a list; nothing is asked for yet."""
    name = address.partition("://")[2] or address or "(empty)"
    if is_web(address):
        return Found(name, address, 0, 0, partial(downloads.get, address), caption)
    if not is_url(address) or "::" in address or address.partition("://")[0] in ("file", "local", "memory", "data"):
        words = "the list names no address there that can be downloaded: expected http://, https:// or s3://"
        return Found(name, address, 0, 0, failing(Refused("no_address", words)), caption)
    return Found(name, address, 0, 0, partial(fetched, address, downloads.max_bytes), caption)


def fetched(address: str, max_bytes: int) -> bytes:
    """The bytes of what fsspec knows."""
    data = Place.of(address).read(0, max_bytes + 1)
    if len(data) > max_bytes:
        raise Refused("too_many_bytes", f"it has more than {max_bytes:,} bytes (`max_bytes`)")
    return data
