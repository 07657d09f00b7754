"""The contract of archives: a list of members, and their bytes when asked. Nothing is ever unpacked to a disk."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import PurePosixPath

from curation.source import Refused

_SUFFIXES = ".zip .tar .tgz .tbz .tbz2 .txz .tzst .gz .bz2 .xz .zst .7z .rar .cbz"
ARCHIVES = frozenset(_SUFFIXES.split())
"""what is an archive by its suffix; one in an archive is not opened"""
ENDINGS = (".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".tgz", ".cbz")
"""what a name loses to be the name of what is in it, in this order"""
HARMLESS = 1 << 20
"""bytes; what is smaller is no bomb, whatever it was packed to"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may hold at most; none of it is inflated to find out."""

    members: int = 1_000_000
    member_bytes: int = 1 << 29
    ratio: int = 250
    """unpacked bytes to packed ones, of one member and of all together; a blank picture may have 1,000"""

    def refuse(self, size: int, packed: int, before: int, whole: int) -> Refused | None:
        """Whether a member is too large. ``before``: unpacked bytes of those before it; ``whole``: the archive's."""
        if size > self.member_bytes:
            return Refused("too_many_bytes", f"it has {size:,} bytes; at most {self.member_bytes:,} are unpacked")
        if size > HARMLESS and size > self.ratio * max(packed, 1):
            return Refused("bomb", f"it would unpack from {packed:,} to {size:,} bytes, more than {self.ratio} times")
        if before + size > HARMLESS + self.ratio * whole:
            words = f"the archive's {whole:,} bytes would unpack to more than {self.ratio} times as many with it"
            return Refused("bomb", words)
        return None


@dataclass(frozen=True, slots=True)
class Member:
    """One file in an archive."""

    name: str
    """with forward slashes; see `clean`"""
    size: int
    mtime_ns: int
    """see `places.dated`: it follows the member, not the archive"""
    at: int
    """where it is, as its archive counts"""
    refused: Refused | None = None
    """why its bytes are not given"""


class Archive(ABC):
    """Read only, and from several threads at the same time."""

    members: list[Member]
    """in the archive's order"""
    trouble: Refused | None = None
    """why there may be more members than these"""
    in_order: bool = False
    """whether members are cheap to read in the archive's order only"""

    @abstractmethod
    def read(self, member: Member, most: int | None = None) -> bytes:
        """Its bytes, or the first of them; an `OSError` where they cannot be had."""


def clean(name: str) -> tuple[str, Refused | None]:
    """A member's name as a path below the archive, and why it is refused where it is none."""
    parts = name.split("/")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in parts:
        return name, Refused("leads_outside", f"its path {name!r} leads out of the archive, so it is not read")
    return "/".join(part for part in parts if part not in ("", ".")), None


def is_archive(name: str) -> bool:
    """Whether a name says that it is an archive."""
    return PurePosixPath(name).suffix.lower() in ARCHIVES


NESTED = "it is an archive in an archive, which is not opened: unpack it, or name it as a source of its own"
