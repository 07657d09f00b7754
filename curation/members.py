"""The pictures in an archive, with the captions beside them; an archive is opened by what it is, not by its name."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from core.errors import SourceError
from curation import formats
from curation.archives import NESTED, Archive, Limits, Member, is_archive
from curation.patterns import is_pattern, matching
from curation.places import Place
from curation.sidecars import LONGEST, Beside, said_beside
from curation.source import Found, Refused, failing
from curation.tars import TarArchive
from curation.walking import SNIFFED, is_hidden, is_plainly_none
from curation.zips import END, ZipArchive

NOTHING = Beside()
OTHERS = {b"7z\xbc\xaf\x27\x1c": "a 7z archive", b"Rar!": "a RAR archive"}

Pictures = Callable[[Archive, Place], Iterable[Found]]


def opened(place: Place, limits: Limits) -> Archive:
    """An archive with its list of members; `SourceError` where it cannot be read as one."""
    try:
        if place.stat().is_folder:
            raise SourceError(
                f"{place.uri} is a folder, not an archive: use `kind: folder`, or a pattern such as *.zip"
            )
        start = place.read(0, 8)
        if start.startswith((b"PK\x03\x04", END)):
            return ZipArchive(place, limits)
        for magic, what in OTHERS.items():
            if start.startswith(magic):
                raise SourceError(f"{place.uri} is {what}; zip and tar (gz, bz2, xz, zst) are read: pack it anew")
        return TarArchive(place, limits)
    except FileNotFoundError:
        raise SourceError(f"{place.uri} does not exist: `path` must be an archive with pictures") from None
    except OSError as error:
        raise SourceError(f"{place.uri} cannot be read: {error.strerror or error}") from None


def from_archives(path: str, limits: Limits, pictures: Pictures) -> Iterator[Found]:
    """The pictures of every archive that ``path`` stands for.

    One of several that cannot be read is a refused row; `SourceError` where none can, or where there is no picture.
    """
    places = matching(path)
    if not places:
        raise SourceError(f"{path}: there is no such file")
    found, mistakes = False, []
    for place in places:
        try:
            archive = opened(place, limits)
        except SourceError as error:
            mistakes.append(error)
            if is_pattern(path):
                yield Found(place.name, place.uri, 0, 0, failing(Refused("unreadable", str(error))))
            continue
        for picture in pictures(archive, place):
            found = True
            yield picture
        if archive.trouble is not None:
            yield Found(place.name, place.uri, 0, 0, failing(archive.trouble))
    if len(mistakes) == len(places):
        raise mistakes[0]
    if not found:
        raise SourceError(f"{path} holds no pictures (.png, .jpg, .webp ...)")


def in_reading_order(archive: Archive) -> Sequence[Member]:
    """Members that are not hidden and not overwritten by a later one of the same name, in the order to read them."""
    last = {member.name: member for member in archive.members}
    kept = [member for member in archive.members if last[member.name] is member and not is_hidden(member.name)]
    return kept if archive.in_order else sorted(kept, key=lambda member: member.name)


def meant(archive: Archive, member: Member) -> Member | None:
    """The member where it is meant as a picture, or is something that a person should hear of; else ``None``."""
    if member.refused is not None:
        return member if formats.looks_meant(member.name) or is_archive(member.name) else None
    if is_plainly_none(member.name):
        return None
    if formats.looks_meant(member.name):
        return member
    if is_archive(member.name):
        return Member(member.name, 0, 0, member.at, Refused("archive_inside", NESTED))
    try:
        return member if formats.sniff(archive.read(member, SNIFFED)) is not None else None
    except OSError:
        return None


def as_found(
    archive: Archive,
    place: Place,
    member: Member,
    name: str,
    said: Beside = NOTHING,
    tags: tuple[str, ...] = (),
) -> Found:
    """One picture of an archive; what is refused has no size and no date, so that other limits make it be looked at."""
    uri = f"{place.uri}!/{member.name}"
    if member.refused is not None:
        return Found(name, uri, 0, 0, failing(member.refused))
    read = partial(archive.read, member)
    return Found(
        name, uri, member.size, member.mtime_ns, read, said.caption, tags, licence=said.licence, note=said.note
    )


def pictures_of(archive: Archive, place: Place, prefix: str) -> Iterator[Found]:
    """All pictures of an archive, with the captions beside them."""
    there = {member.name: member for member in archive.members}
    for one in in_reading_order(archive):
        member = meant(archive, one)
        if member is not None:
            said = said_beside(member.name, partial(text_of, archive, there), lambda name: f"{place.uri}!/{name}")
            yield as_found(archive, place, member, prefix + member.name, said)


def text_of(archive: Archive, there: dict[str, Member], name: str) -> bytes:
    """A sidecar's bytes."""
    member = there.get(name)
    if member is None:
        raise FileNotFoundError(name)
    if member.refused is not None:
        raise member.refused
    if member.size > LONGEST:
        raise OSError(f"it has more than {LONGEST:,} bytes")
    return archive.read(member, LONGEST)
