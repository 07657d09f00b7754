"""What is in files packed with gz, bz2, xz or zst, as a stream that cannot grow beyond a limit."""

import bz2
import gzip
import lzma
from typing import BinaryIO, Protocol, cast

from curation.places import Place
from curation.source import Refused

MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\0": "xz", b"(\xb5/\xfd": "zst"}
HEADER = 1 << 24
"""bytes that one header may have: names, and what else stands before a member"""
PIECE = 1 << 20


class Readable(Protocol):
    """What is needed of a file."""

    def read(self, size: int = -1, /) -> bytes: ...


class Forwards:
    """A file for tarfile; of a packed one it goes forwards only, and no further than ``most`` bytes."""

    def __init__(self, file: Readable, whole: BinaryIO | None, most: int) -> None:
        self._file, self._whole, self._most = file, whole, most
        self._at = 0

    def tell(self) -> int:
        return self._at

    def seek(self, to: int) -> int:
        """Skip; what is not packed is not read on the way."""
        if to < self._at and self._whole is None:
            raise OSError("the archive leads backwards")
        if self._whole is not None:
            self._at = self._whole.seek(to)
        while self._at < to and self.read(min(PIECE, to - self._at)):
            pass
        return self._at

    def read(self, size: int) -> bytes:
        if not 0 <= size <= HEADER:
            raise Refused("bomb", f"one of its headers claims {size:,} bytes")
        data = self._file.read(size)
        while len(data) < size and (more := self._file.read(size - len(data))):  # unpackers give less than was asked
            data += more
        self._at += len(data)
        if self._whole is None and self._at > self._most:
            raise Refused("bomb", f"it unpacks to more than {self._most:,} bytes; what follows was not read")
        return data


def packing(place: Place) -> str:
    """How a tar archive is packed; empty where it is not."""
    start = place.read(0, 8)
    return next((name for magic, name in MAGIC.items() if start.startswith(magic)), "")


def unpacked(raw: BinaryIO, how: str) -> Readable:
    """What is in a packed file, as a stream."""
    if how == "zst":
        import pyarrow as pa  # it brings zstd along, which Python has from 3.14 on only

        return cast(Readable, pa.CompressedInputStream(raw, "zstd"))
    if how == "gz":
        return gzip.GzipFile(fileobj=raw)
    if how == "bz2":
        return bz2.BZ2File(raw)
    return lzma.LZMAFile(raw) if how == "xz" else raw
