"""One picture's original bytes, as the store takes them in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Image:
    """Bytes exactly as they were given, under the hash of their content."""

    sha256: str
    """of ``data``, in hex: the key"""
    data: bytes
    media_type: str
    """such as ``image/png``"""
    width: int
    height: int
