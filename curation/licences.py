"""What is said of pictures' licences: by their source (columns, JSON files, tags), else by EXIF and PNG notes."""

from __future__ import annotations

import io
import json
import re
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
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
    by_source: int
    """pictures whose source says it"""
    looked_at: int
    """files that were opened, evenly spread over the rest"""
    of: int


def licences(store: Store, kept: pa.ChunkedArray, tagged: pa.Table) -> Licences:
    """The licences of the ``kept`` pictures, given by hash; ``tagged`` has each hash's tags and what was drawn."""
    told: dict[str, str] = {}
    tagged = tagged.filter(field("sha256").isin(kept.combine_chunks()))
    said = tagged.filter(pc.match_substring(field("drawn"), '"licence"'))
    for sha256, drawn in zip(said["sha256"].to_pylist(), said["drawn"].to_pylist(), strict=True):
        told[sha256] = str(json.loads(drawn).get("licence", ""))
    for sha256, tags in zip(tagged["sha256"].to_pylist(), tagged["tags"].to_pylist(), strict=True):
        if words := next((found[1].strip() for tag in tags if (found := TAG.fullmatch(tag.strip()))), ""):
            told.setdefault(sha256, words)
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
