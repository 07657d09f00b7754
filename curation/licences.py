"""What the pictures themselves, or their source, say of their licence: tags first, then EXIF and PNG notes."""

from __future__ import annotations

import io
import re
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
from PIL import ExifTags, Image
from pyarrow.compute import field

from core.errors import StoreError
from store.store import Store

TAG = re.compile(r"(?:licen[cs]e|copyright|rights)\s*[:=]\s*(.+)", re.IGNORECASE)
"""a tag such as ``license: CC BY 4.0``"""
NOTES = ("Copyright", "License", "Licence", "copyright", "license", "licence")
"""PNG text that says so"""
LOOKED_AT = 200
"""pictures whose files are opened: reading all would take as long as ingesting them"""


@dataclass(frozen=True, slots=True)
class Licences:
    """Licences and copyright notes as they stand there, and how many pictures were asked."""

    known: Mapping[str, int]
    by_tag: int
    """pictures whose source says it"""
    looked_at: int
    """files that were opened, evenly spread over the rest"""
    of: int


def licences(store: Store, kept: pa.ChunkedArray, tagged: pa.Table) -> Licences:
    """The licences of the ``kept`` pictures, given by hash; ``tagged`` has each hash's tags."""
    told: dict[str, str] = {}
    tagged = tagged.filter(field("sha256").isin(kept.combine_chunks()))
    for sha256, tags in zip(tagged["sha256"].to_pylist(), tagged["tags"].to_pylist(), strict=True):
        if words := next((found[1].strip() for tag in tags if (found := TAG.fullmatch(tag.strip()))), ""):
            told[sha256] = words
    rest = sorted({sha256 for sha256 in kept.to_pylist() if sha256 not in told})
    asked = rest[:: max(1, -(-len(rest) // LOOKED_AT))]
    counts = Counter(told.values())
    for sha256 in asked:
        if words := _noted(store, sha256):
            counts[words] += 1
    return Licences(dict(counts.most_common()), len(told), len(asked), len(told) + len(rest))


def _noted(store: Store, sha256: str) -> str:
    try:
        return note(store.image(sha256))
    except StoreError:  # the card does not need the picture
        return ""


def note(data: bytes) -> str:
    """What a file's header says of copyright or licence; empty where it says nothing or cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                words = image.getexif().get(ExifTags.Base.Copyright, "")
                words = words or next((image.info[key] for key in NOTES if key in image.info), "")
    except Exception:  # Pillow's plugins raise nearly anything, and a note is not worth a run
        return ""
    text = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
    return " ".join(text.replace("\0", " ").split())[:120]
