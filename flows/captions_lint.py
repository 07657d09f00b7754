"""What `velatura captions lint` holds captions against, and how it tells what it found."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from backbones.embedding import Embedder, Vectors
from backbones.tokens import Tokens
from captioning.captioner import Captioner
from captioning.captioners.clip_tags import ClipTags
from captioning.facets import vocabulary
from captioning.lint import BIN, Linted, Ruler, lint
from core.pixels import Read
from core.record import Record
from flows.job import reader
from flows.recipe import read_recipe
from store.store import Store

COLOURLESS = 0.03
"""how far apart red, green and blue may be, from 0 to 1, in a picture without colour"""
SHOWN = 10
"""pictures named for each kind of finding"""


def ruler_of(store: Store, recipe: Path | None, trigger: str, base: str, clip: str, *, look: bool) -> Ruler:
    """What to hold the captions against; what is not said is taken from the recipe."""
    words = "default"
    if recipe is not None:
        read = read_recipe(recipe)
        base, clip = base or read.base, clip or read.samples.clip
        parts = all_parts(read.captioner)
        trigger = trigger or next((said for part in parts if (said := getattr(part, "trigger", ""))), "")
        words = next((part.vocabulary for part in parts if isinstance(part, ClipTags)), words)
    tokens = Tokens.of(base or "pocket")
    ruler = Ruler(tokens.cut, tokens.count, vocabulary(words), trigger)
    return replace(ruler, colourless=ColourTest(reader(store)), seen=Sight(store, clip or "pocket")) if look else ruler


def all_parts(captioner: Captioner) -> list[Captioner]:
    """The captioner and those that it asks."""
    return [captioner, *(part for inner in getattr(captioner, "of", ()) for part in all_parts(inner))]


class ColourTest:
    """Whether a picture has no colour: by its score where one was measured, else by looking."""

    def __init__(self, read: Read) -> None:
        self.read = read

    def __call__(self, record: Record) -> bool:
        """True for grey pictures."""
        if (known := record.quality.get("colour")) is not None:
            return float(known) <= COLOURLESS
        pixels = self.read(record)[::4, ::4].astype(np.int16)
        apart = pixels.max(-1) - pixels.min(-1)
        return float(np.quantile(apart, 0.995)) <= COLOURLESS * 255


class Sight:
    """Where a CLIP sees pictures and captions; what it has seen before is remembered in the store."""

    def __init__(self, store: Store, clip: str) -> None:
        self.embedder, self.read = Embedder.named(clip, store.cache("embeddings")), reader(store)

    def __call__(self, records: Sequence[Record], texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """(n, d) unit vectors of either."""
        return self.embedder.pictures(records, self.read), self.embedder.texts(texts)


def examined(store: Store, ruler: Ruler) -> Linted:
    """The findings over the kept real pictures of a store."""
    kept = [record for record in store.records() if record.verdict == "kept" and record.depth == 0]
    return lint(kept, store.captions(), ruler)


def in_words(found: Linted, *, as_json: bool = False) -> Any:
    """Lines for people, or one value for scripts."""
    if as_json:
        findings = [{"code": f.code, "words": f.words, "record": f.record, "name": f.name} for f in found.findings]
        return {"captions": found.count, "findings": findings, "tokens": found.tokens, "sources": found.sources}
    lines = [f"{found.count} captions"]
    for code, count in found.by_code.items():
        some = [finding for finding in found.findings if finding.code == code]
        lines.append(f"\n{code} ({count})")
        lines += [f"  {finding.name + ': ' if finding.name else ''}{finding.words}" for finding in some[:SHOWN]]
        lines += [f"  ... and {count - SHOWN} more" for _ in range(count > SHOWN)]
    if not found.findings:
        lines.append("nothing to find fault with")
    lines.append("\ntokens")
    most = max(found.tokens.values(), default=1)
    for start, count in found.tokens.items():
        lines.append(f"  {start:>3} to {start + BIN - 1:<3} {'#' * max(1, round(40 * count / most)):<40} {count}")
    lines.append("\nsources            pictures   weight   by a person   by a machine   none")
    for name, figures in found.sources.items():
        numbers = f"{figures['pictures']:>8.0f} {figures['weight']:>8.1f} {figures['person']:>13.0f}"
        lines.append(f"  {name:<16} {numbers} {figures['machine']:>14.0f} {figures['none']:>6.0f}")
    return lines
