"""WebDataset shards: tar files in which a picture, its .txt or .json caption and its .cls class share one key."""

from collections.abc import Iterator
from functools import partial

from pydantic import Field

from curation.archives import ENDINGS, Archive, Limits, Member
from curation.exported import Said, said_in
from curation.members import as_found, from_archives, in_reading_order, meant, text_of
from curation.patterns import matching
from curation.places import Place
from curation.sidecars import Beside, said_beside, tidy
from curation.source import Found, Source, of_path, root_of
from curation.walking import is_there


class Webdataset(Source):
    """Read only, each member when it is needed. A key goes up to the first dot of a member's name.

    A shard that is missing or cut is told in a row of its own, and the others are read.
    """

    path: str
    """the shards, such as ``shards/{000..012}.tar`` or ``s3://bucket/shards/*.tar.gz``"""
    label: str = ""
    """the source's name; empty: the name that the shards have in common, or else that of their folder"""
    classes: tuple[str, ...] = ()
    """words for the numbers in .cls, the first for 0: they become the pictures' tags; words in .cls are taken as they
    are"""
    max_members: int = Field(default=1_000_000, ge=1)
    """files that one shard may hold"""
    max_bytes: int = Field(default=1 << 29, ge=1)
    """bytes of one picture; larger ones are refused"""
    max_ratio: int = Field(default=250, ge=1)
    """unpacked to packed bytes of a shard; what claims more is refused as a bomb"""

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
        if not any(map(is_there, matching(self.path))):  # to list a shard is to read all of it
            super().check()

    def pictures(self) -> Iterator[Found]:
        return from_archives(self.path, Limits(self.max_members, self.max_bytes, self.max_ratio), self.of_shard)

    def of_shard(self, archive: Archive, place: Place) -> Iterator[Found]:
        """The pictures of one shard; a shard's name goes before theirs, since keys may begin anew in each."""
        there = {member.name: member for member in archive.members}
        shard = of_path("", place.uri, *ENDINGS)
        ours: bool | None = None  # not known before the first sample
        for one in in_reading_order(archive):
            member = meant(archive, one)
            if member is not None:
                beside, tags = self.said_of(archive, place, there, member)
                found = as_found(archive, place, member, f"{shard}/{member.name}", beside, tags)
                said = exported(archive, there, member) if ours is not False else None
                ours = said is not None if ours is None else ours
                yield found if said is None else said.of_picture(found)

    def said_of(
        self, archive: Archive, place: Place, there: dict[str, Member], member: Member
    ) -> tuple[Beside, tuple[str, ...]]:
        """What the members of the same key say, and tags."""
        read = partial(text_of, archive, there)
        key = key_of(member.name)
        said = said_beside(member.name, read, lambda name: f"{place.uri}!/{name}")
        if said == Beside():  # of 1.left.jpg it may stand in 1.txt
            said = said_beside(f"{key}.x", read, lambda name: f"{place.uri}!/{name}")
        try:
            word = tidy(read(f"{key}.cls").decode(errors="replace"))
        except OSError:
            return said, ()
        if not word.isdecimal():
            return said, (word,) if word else ()
        if int(word) < len(self.classes):
            return said, (self.classes[int(word)],)
        if self.classes and not said.note:
            said = said._replace(note=f"{place.uri}!/{key}.cls says class {word}; `classes` names {len(self.classes)}")
        return said, ()


def exported(archive: Archive, there: dict[str, Member], member: Member) -> Said | None:
    """What an export of ours says of the picture beside its caption."""
    try:
        return said_in(text_of(archive, there, f"{key_of(member.name)}.json"))
    except OSError:
        return None


def key_of(name: str) -> str:
    """What the members of one sample have in common: all up to the first dot of the file's own name."""
    folder, slash, file = name.rpartition("/")
    return folder + slash + file.partition(".")[0]
