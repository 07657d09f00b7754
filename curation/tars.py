"""Tar archives, packed (gz, bz2, xz, zst) or not: read through once for the list, then each member when asked for."""

import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from core.errors import SourceError
from curation import formats
from curation.archives import HARMLESS, Archive, Limits, Member, clean, is_archive
from curation.forward import Forward
from curation.places import Place, dated
from curation.sidecars import CAPTIONS, LONGEST
from curation.source import Refused
from curation.unpacking import PIECE, Forwards, packing, unpacked
from curation.walking import SNIFFED, is_plainly_none, printable

TEXTS = frozenset((*CAPTIONS, ".cls"))
MOST_TEXT = 256 << 20
"""bytes of captions that are remembered of a packed archive, where one cannot go back to them"""
ENDS = 4096
"""bytes at both ends of a member that its checksum is of"""


class _Info(tarfile.TarInfo):
    """Damage is an error here, where tarfile takes it for the end."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> "_Info":
        try:
            return super().fromtarfile(tar)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(str(error)) from None


class TarArchive(Archive):
    """Members in the archive's order; of a packed one they are cheap to read in that order only."""

    def __init__(self, place: Place, limits: Limits) -> None:
        self._place, self._limits = place, limits
        self._texts: dict[int, bytes] = {}
        self._starts: dict[int, bytes] = {}
        self._offsets: list[int] = []
        self._held = 0
        self.packed = packing(place)
        self.in_order = bool(self.packed)
        self.members = []
        self._forward = Forward(self._contents)
        try:
            with self._opened() as (tar, file):
                for info in infos(tar):
                    self._add(info, file)
        except Refused as refused:
            self.trouble = refused
        except SourceError:
            raise
        except Exception as error:  # tarfile and the unpackers raise nearly anything on damaged bytes
            if isinstance(error, FileNotFoundError | PermissionError):
                raise
            words = f"it is damaged or cut behind its member {len(self.members):,}: {error}"
            self.trouble = Refused("truncated", words)
        if self.trouble is not None and not self.members:
            raise SourceError(f"{place.uri} cannot be read as a tar archive: {self.trouble}")

    def read(self, member: Member, most: int | None = None) -> bytes:
        if not self.packed:
            size = member.size if most is None else min(most, member.size)
            data = self._place.read(self._offsets[member.at], size)
            if len(data) < size:
                raise Refused("truncated", "the archive ends within it")
            return data
        if most is None:
            return self._forward.get(member.at)
        kept = self._starts if most <= SNIFFED else self._texts
        if member.at not in kept:
            raise OSError("it is more text than can be remembered of a packed archive")
        return kept[member.at][:most]

    @contextmanager
    def _opened(self) -> Iterator[tuple[tarfile.TarFile, Forwards]]:
        with self._place.open() as raw:
            most = HARMLESS + self._limits.ratio * self._place.stat().size
            file = Forwards(unpacked(raw, self.packed), None if self.packed else raw, most)
            with tarfile.open(fileobj=file, mode="r:", tarinfo=_Info, errors="surrogateescape") as tar:  # type: ignore[call-overload]
                yield tar, file

    def _add(self, info: tarfile.TarInfo, file: Forwards) -> None:
        """Write down a member, and what could not be had later."""
        at = len(self._offsets)
        if at >= self._limits.members:
            raise SourceError(f"{self._place.uri} has more than `max_members` = {self._limits.members:,} members")
        self._offsets.append(info.offset_data)
        name, refused = clean(printable(info.name))
        refused = refused or refusal(info) or self._limits.refuse(info.size, info.size, 0, info.size)
        if info.isdir():
            return
        mark = 0
        if refused is None and PurePosixPath(name).suffix.lower() in TEXTS:
            self._remember(at, info, file)
        elif refused is None and not is_plainly_none(name) and not is_archive(name):
            mark = self._look(at, name, info, file)
        self.members.append(Member(name, info.size, dated(info.mtime, mark), at, refused))

    def _look(self, at: int, name: str, info: tarfile.TarInfo, file: Forwards) -> int:
        """A checksum of both ends of what may be a picture: it tells another one of the same size and date."""
        file.seek(info.offset_data)
        first = file.read(min(ENDS, info.size))
        if self.packed and not formats.looks_meant(name) and formats.sniff(first[:SNIFFED]) is not None:
            self._starts[at] = first[:SNIFFED]
        file.seek(max(info.offset_data + info.size - ENDS, file.tell()))
        return zlib.crc32(first + file.read(info.offset_data + info.size - file.tell()))

    def _remember(self, at: int, info: tarfile.TarInfo, file: Forwards) -> None:
        """Keep a caption of a packed archive."""
        if not self.packed or info.size > LONGEST or self._held + info.size > MOST_TEXT:
            return
        file.seek(info.offset_data)
        self._texts[at] = file.read(info.size)
        self._held += info.size

    def _contents(self, first: int) -> Iterator[tuple[int, bytes]]:
        """The bytes of pictures from number ``first`` on."""
        wanted = {m.at for m in self.members if m.refused is None and not is_plainly_none(m.name)}
        try:
            with self._opened() as (tar, file):
                for at, info in enumerate(infos(tar)):
                    if at >= first and at in wanted and info.size <= self._limits.member_bytes:
                        file.seek(info.offset_data)
                        pieces = [file.read(min(PIECE, info.size - done)) for done in range(0, info.size, PIECE)]
                        yield at, b"".join(pieces)
        except OSError:
            raise
        except Exception as error:
            raise Refused("truncated", f"the archive is damaged or cut before it: {error}") from None


def infos(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The headers one after another, none of them kept; what leads backwards would never end."""
    before = -1
    while (info := tar.next()) is not None:
        if tar.offset <= before or info.size < 0:
            raise tarfile.ReadError("a header leads backwards")
        before = tar.offset
        yield info
        tar.members = []  # type: ignore[attr-defined]


def refusal(info: tarfile.TarInfo) -> Refused | None:
    """Why a member is no file of its own."""
    if info.issym() or info.islnk():
        return Refused("link", f"it is a link to {printable(info.linkname)!r}, which is not followed in an archive")
    if info.issparse():
        return Refused("bomb", "it is stored with holes, which no picture needs")
    if not info.isfile() and not info.isdir():
        return Refused("unreadable", "it is a device or pipe, not a file")
    return None
