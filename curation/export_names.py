"""File names for pictures that leave the store: flat, unique on any file system, with the suffix of what they are."""

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from curation import formats

UNSAFE = frozenset('<>:"/\\|?*')
LONGEST = 150
"""bytes of a stem in UTF-8; file systems take 255 with all that is put behind it"""
SUFFIXES = {
    "a JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "a PNG": (".png", ".apng"),
    "a GIF": (".gif",),
    "a WebP": (".webp",),
    "a BMP": (".bmp", ".dib"),
    "a TIFF": (".tif", ".tiff"),
    "a BigTIFF": (".tif", ".tiff"),
    "an AVIF": (".avif",),
    "a HEIC": (".heic", ".heif"),
    "a JPEG XL": (".jxl",),
    "a JPEG 2000": (".jp2", ".j2k", ".j2c", ".jpx", ".jpf"),
    "a Photoshop file": (".psd",),
    "a QOI": (".qoi",),
    "a DDS": (".dds",),
    "an icon": (".ico", ".icns"),
    "a PNM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
}
"""by what a file begins with; the first is given where the picture's own name says another"""


def suffix_of(name: str, data: bytes) -> str:
    """The suffix that says what the bytes are; the name's own, in small letters, where it does."""
    own = PurePosixPath(name).suffix.lower()
    what = formats.sniff(data)
    fitting = SUFFIXES.get(what.name, ()) if what is not None else ()
    if own in fitting or (not fitting and own in formats.SUFFIXES):
        return own
    if fitting:
        return fitting[0]
    return f".{(formats.opened(data).format or 'bin').lower()}"  # TGA and other formats without magic bytes


def safe(text: str) -> str:
    """The text as one part of a path on any file system; may be empty."""
    kept = "".join("_" if c in UNSAFE or unicodedata.category(c).startswith("C") else c for c in text)
    return kept.encode()[:LONGEST].decode(errors="ignore").strip(" .")


def stems(names: Iterable[str]) -> list[str]:
    """A file name without suffix for each name: ``sub/a.png`` as ``sub_a``; no two differ only in case or accents."""
    taken: set[str] = set()
    given = []
    for name in names:
        path = PurePosixPath(name)
        suffix = path.suffix if path.suffix.lower() in formats.SUFFIXES else ""
        stem = safe(name.removesuffix(suffix)).lstrip("._") or "picture"  # a leading one hides files from many readers
        given.append(unused(stem, taken))
    return given


def unused(stem: str, taken: set[str]) -> str:
    """The stem, with a number behind it where another has it; what is given is added to ``taken``."""
    number, candidate = 1, stem
    while (key := unicodedata.normalize("NFKD", candidate).casefold()) in taken:
        number += 1
        candidate = f"{stem}-{number}"
    taken.add(key)
    return candidate


def shards(sizes: Sequence[int], most: int) -> list[range]:
    """Positions in a row, as many to a shard as fit into ``most`` bytes; at least one."""
    cut, start, total = [], 0, 0
    for at, size in enumerate(sizes):
        if at > start and total + size > most:
            cut.append(range(start, at))
            start, total = at, 0
        total += size
    return [*cut, range(start, len(sizes))] if len(sizes) > start else cut


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not be there yet."""
    with path.open("xb") as file:
        file.write(data)
