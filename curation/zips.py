"""Zip archives: the list of members is read at once, each member when it is asked for."""

import stat
import struct
import threading
import zipfile
from calendar import timegm

from core.errors import SourceError
from curation.archives import Archive, Limits, Member, clean
from curation.places import Place, dated
from curation.source import Refused
from curation.walking import printable

END = b"PK\x05\x06"
ENTRY = 400
"""bytes that the list of members has for each, generously"""


class ZipArchive(Archive):
    """Members in the order of the archive's own list."""

    def __init__(self, place: Place, limits: Limits) -> None:
        size = place.stat().size
        refuse_long_list(place, limits)
        try:
            self._zip = zipfile.ZipFile(place.open())
        except OSError:
            raise
        except Exception as error:  # zipfile raises nearly anything on damaged lists
            raise SourceError(
                f"{place.uri} is damaged or cut: the list of its members, which stands at the end, cannot be read "
                f"({error}); copy it again, or repair it with `zip -FF`"
            ) from None
        infos = self._zip.infolist()
        if len(infos) > limits.members:
            raise SourceError(f"{place.uri} has {len(infos):,} members; `max_members` is {limits.members:,}")
        self._infos = infos
        self._lock = threading.Lock()
        self.members = []
        total = 0
        for at, info in enumerate(infos):
            if info.filename and not info.filename.endswith("/"):  # its own `is_dir` fails on an empty name
                one = member(at, info, limits, total, size)
                self.members.append(one)
                total += 0 if one.refused else one.size

    def read(self, member: Member, most: int | None = None) -> bytes:
        info = self._infos[member.at]
        try:
            with self._lock, self._zip.open(info) as file:
                return file.read(info.file_size if most is None else most)
        except OSError:
            raise
        except NotImplementedError as error:
            raise Refused("unsupported_format", f"it is packed in a way that is not read here: {error}") from None
        except Exception as error:
            raise Refused("damaged", f"it cannot be unpacked: {error}") from None


def member(at: int, info: zipfile.ZipInfo, limits: Limits, before: int, whole: int) -> Member:
    """A member as its archive's list tells it."""
    name, refused = clean(printable(info.filename.replace("\\", "/")))
    mode = info.external_attr >> 16
    if info.flag_bits & 1:
        words = "it is encrypted: unpack the archive with its password, and name the folder as the source"
        refused = refused or Refused("encrypted", words)
    if stat.S_ISLNK(mode):
        refused = refused or Refused("link", "it is a link, which is not followed in an archive")
    elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        refused = refused or Refused("unreadable", "it is a device, pipe or socket, not a file")
    refused = refused or limits.refuse(info.file_size, info.compress_size, before, whole)
    try:
        seconds = timegm((*info.date_time, 0, 0, 0))
    except (ValueError, OverflowError):  # a month 0 or 13
        seconds = 0
    return Member(name, info.file_size, dated(seconds, info.CRC, info.compress_size), at, refused)


def refuse_long_list(place: Place, limits: Limits) -> None:
    """Refuse a list of members that is too long to be held in memory, before it is."""
    size = place.stat().size
    tail = place.read(max(size - (1 << 16) - 22, 0), (1 << 16) + 22)
    at = tail.rfind(END)
    if at < 0 or len(tail) < at + 22:
        raise SourceError(
            f"{place.uri} is cut: the list of its members, which stands at the end of a zip, is not there; "
            "copy it again, or repair it with `zip -FF`"
        )
    (length,) = struct.unpack_from("<I", tail, at + 12)
    if length == 0xFFFFFFFF and at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07":
        (where,) = struct.unpack_from("<Q", tail, at - 12)
        (length,) = struct.unpack_from("<Q", place.read(where, 56).ljust(56, b"\0"), 40)
    if length > limits.members * ENTRY + (1 << 16):
        raise SourceError(
            f"{place.uri} lists its members in {length:,} bytes, too many for `max_members` = {limits.members:,}"
        )
