"""What `velatura captions lint` holds captions against, and how it tells what it found."""

from pathlib import Path
from typing import Any

import numpy as np

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


def ruler_of(store: Store, recipe: Path | None, trigger: str, base: str, *, look: bool) -> Ruler:
    """What to hold the captions against; what is not said is taken from the recipe."""
    words = "default"
    if recipe is not None:
        read = read_recipe(recipe)
        base = base or read.base
        parts = all_parts(read.captioner)
        trigger = trigger or next((said for part in parts if (said := getattr(part, "trigger", ""))), "")
        words = next((part.vocabulary for part in parts if isinstance(part, ClipTags)), words)
    tokens = Tokens.of(base or "pocket")
    colourless = ColourTest(reader(store)) if look else None
    facets = vocabulary(words)
    if colourless is None:
        return Ruler(tokens.cut, tokens.count, facets, trigger)
    return Ruler(tokens.cut, tokens.count, facets, trigger, colourless)


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
