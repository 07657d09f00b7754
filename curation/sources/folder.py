"""A folder of pictures and of folders of pictures; captions in .txt, .caption or .json files beside them come along."""

from collections.abc import Iterator

from curation.places import Place
from curation.source import Found, Source
from curation.walking import is_there, pictures_below, printable


class Folder(Source):
    """Read only. A file with a picture's suffix is always told, as is any other that begins as a picture does.

    Hidden files and folders, sidecars and texts are passed over. Links are followed, each folder once.
    """

    path: str
    """the folder, or a URL that fsspec knows, such as ``s3://bucket/pictures``"""
    label: str = ""
    """the source's name; empty: the folder's name"""

    @property
    def name(self) -> str:
        return self.label or self.place.name or "root"

    @property
    def root(self) -> str:
        return "" if self.label else printable(f"{self.place.uri.rstrip('/')}/")

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place.of(self.path)

    @property
    def waits(self) -> int:
        return 0 if self.place.is_local else 8

    def check(self) -> None:
        if self.place.is_local or not is_there(self.place):  # all that is behind a URL is listed at once
            super().check()

    def pictures(self) -> Iterator[Found]:
        return pictures_below(self.place)
