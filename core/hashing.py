"""Names that follow from content: the same value has the same digest on every machine."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path


def sha256_of(data: bytes) -> str:
    """Hex SHA-256 of bytes: the name of a picture in the store."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Hex SHA-256 of a file, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def digest(*parts: object, length: int = 16) -> str:
    """Hex digest of values that JSON can say, ``length`` characters; key order does not matter.

    Floats are written by Python's shortest repr, so the digest does not depend on the platform.
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def digest_of_lines(lines: Iterable[str]) -> str:
    """Hex SHA-256 over lines in the given order: for sets too large for one JSON text. Sort before."""
    whole = hashlib.sha256()
    for line in lines:
        whole.update(line.encode())
        whole.update(b"\n")
    return whole.hexdigest()


def folder_digest(folder: Path) -> str:
    """Digest of a model folder's files by name, size and content; of files over 64 MiB only both ends are read.

    Two models that differ only in the middle of a large file would need equal safetensors headers and sizes; where
    the whole content matters (`Backbone.fingerprint`) it is read.
    """
    lines = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in {".json", ".safetensors", ".txt"}):
        size = path.stat().st_size
        lines.append(f"{path.relative_to(folder).as_posix()}|{size}|{_both_ends(path, size)}")
    return digest_of_lines(lines)


def _both_ends(path: Path, size: int) -> str:
    if size <= 64 << 20:
        return sha256_of_file(path)
    with path.open("rb") as file:
        head = file.read(1 << 20)
        file.seek(-(1 << 20), 2)
        return sha256_of(head + file.read())
