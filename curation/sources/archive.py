"""A zip or tar archive (also .tar.gz, .bz2, .xz, .zst) with pictures and captions beside them; nothing is unpacked."""

from collections.abc import Iterator

from pydantic import Field

from curation.archives import ENDINGS, Limits
from curation.archives import Archive as Opened
from curation.members import from_archives, pictures_of
from curation.patterns import is_pattern, matching
from curation.places import Place
from curation.source import Found, Source, of_path, root_of
from curation.walking import is_there


class Archive(Source):
    """Read only, each member when it is needed. Captions in .txt, .caption or .json come along as in a folder.

    Refused, each with its reason: members that are links, lead outside, are encrypted, are archives themselves, or
    unpack to far more than they were packed to.
    """

    path: str
    """the archive, a pattern such as ``part-*.zip`` or ``part-{01..12}.tar``, or a URL such as ``s3://bucket/a.zip``"""
    label: str = ""
    """the source's name; empty: the archive's name without its suffix"""
    max_members: int = Field(default=1_000_000, ge=1)
    """files that one archive may hold"""
    max_bytes: int = Field(default=1 << 29, ge=1)
    """bytes that one picture may unpack to; larger ones are refused"""
    max_ratio: int = Field(default=250, ge=1)
    """unpacked to packed bytes, of each picture and of the whole archive; what claims more is refused as a bomb"""

    @property
    def name(self) -> str:
        return of_path(self.label, self.path, *ENDINGS)

    @property
    def root(self) -> str:
        return root_of(self.label, self.path, "!/")

    @property
    def waits(self) -> int:
        return 0 if Place.of(self.path).is_local else 8

    def check(self) -> None:
        if not any(map(is_there, matching(self.path))):  # to list a tar archive is to read all of it
            super().check()

    def pictures(self) -> Iterator[Found]:
        limits = Limits(self.max_members, self.max_bytes, self.max_ratio)
        many = is_pattern(self.path)

        def found(archive: Opened, place: Place) -> Iterator[Found]:
            return pictures_of(archive, place, f"{of_path('', place.uri, *ENDINGS)}/" if many else "")

        return from_archives(self.path, limits, found)
