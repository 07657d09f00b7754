"""Snapshots of a dataset in words and as JSON: what `velatura data` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.markup import escape

from core.snapshot import Snapshot
from curation.card import Card
from curation.versions import KINDS, Difference
from flows.pages.data import facts_of, headline, named
from flows.usage import Use


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log."""

    snapshot: Snapshot
    taken: str
    """ISO 8601, in UTC; empty where that is not known"""
    names: tuple[str, ...]
    uses: tuple[Use, ...]

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            **asdict(self.snapshot),
            "taken": self.taken,
            "names": list(self.names),
            "uses": list(map(asdict, self.uses)),
        }


def log_lines(entries: Sequence[Entry]) -> list[str]:
    """The newest first."""
    lines = []
    for entry in reversed(entries):
        one = entry.snapshot
        names = f" [bold]{escape(', '.join(entry.names))}[/]" if entry.names else ""
        when = entry.taken.replace("T", " ")[:16] or "(date unknown)"
        lines.append(
            f"[cyan]{one.tag}[/]  {when}  {one.count:,} pictures with those made by augmentation, "
            f"{one.held_out:,} held out  {one.manifest[:12]}{names}"
        )
        lines += [f"           trained: {escape(use.words)}" for use in entry.uses]
    return lines or ["no snapshot yet; a run takes one before it trains"]


def difference_lines(found: Difference, before: str, after: str, most: int) -> list[str]:
    """Counts, and the first names of each kind."""
    if found.same:
        return [f"{before} and {after} are the same: no picture, caption or split differs"]
    lines = [f"from {before} to {after}"]
    for kind, rows in found.changes.items():
        if not rows.num_rows:
            continue
        reasons = ", ".join(f"{count} {code}" for code, count in named(found.reasons).items())
        why = f" ({reasons})" if kind == "refused" and reasons else ""
        lines.append(f"[bold]{rows.num_rows:>8,} {kind}[/]  [dim]{KINDS[kind]}{escape(why)}[/]")
        lines += [f"           {escape(row_words(kind, row))}" for row in rows.slice(0, most).to_pylist()]
        if rows.num_rows > most:
            lines.append(f"           [dim]... and {rows.num_rows - most:,} more (--names N, --json)[/]")
    if any(found.derived.values()):
        made = ", ".join(f"{count:,} {what}" for what, count in found.derived.items() if count)
        lines.append(f"         of the pictures made from others: {made}")
    return lines


def counts_in_words(found: Difference) -> str:
    """All counts that are not zero, in one line."""
    parts = [f"{count:,} {kind}" for kind, count in found.counts.items() if count]
    return (
        ", ".join([*parts, *(f"{count:,} derived {what}" for what, count in found.derived.items() if count)])
        or "nothing"
    )


def row_words(kind: str, row: Mapping[str, str]) -> str:
    """One picture's change."""
    before, after = row["before"], row["after"]
    if kind in ("recaptioned", "resplit", "reweighted", "retagged"):
        return f"{row['name']}: {before or '(nothing)'} -> {after or '(nothing)'}"
    return f"{row['name']}: {after}" if kind == "refused" and after else row["name"]


def difference_json(found: Difference, before: str, after: str) -> dict[str, Any]:
    """Everything, for scripts."""
    return {
        "from": before,
        "to": after,
        "counts": found.counts,
        "reasons": dict(found.reasons),
        "derived": dict(found.derived),
        "changes": {kind: rows.to_pylist() for kind, rows in found.changes.items()},
    }


def card_lines(found: Card, version: str) -> list[str]:
    """The card for a terminal."""
    lines = [f"[bold]{version}[/]  {headline(found)}"]
    for source, counts in found.sources.items():
        told = ", ".join(f"{count:,} {verdict}" for verdict, count in counts.items())
        lines.append(f"  {'source':<18} {escape(source)}: {told}")
    tables = {
        "not kept because": named(found.reasons),
        "split": named(found.splits),
        "width to height": found.shapes,
        "megapixels": found.megapixels,
        "captioned by": found.captions,
        "words of captions": found.words,
        "licences": dict(list(found.licences.known.items())[:5]),
    }
    for name, some in tables.items():
        if some:
            told = ", ".join(
                f"{count:,} {what}" if name == "not kept because" else f"{what}: {count:,}"
                for what, count in some.items()
            )
            lines.append(f"  {name:<18} {escape(told)}")
    lines += [f"  {name:<18} {escape(text)}" for name, text in facts_of(found) if name != "licences"]
    for name, one in found.quality.items():
        low, high = one.edges[0], one.edges[-1]
        lines.append(f"  {name:<18} {f'{low:.4g} to {high:.4g}, of nearly all' if low < high else f'{low:.4g}'}")
    return lines
