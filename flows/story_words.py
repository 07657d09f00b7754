"""One picture in words and as JSON: what `velatura data show --picture` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.markup import escape

from core.record import Record
from curation.story import Story

SHOWN = 6


def story_lines(story: Story) -> list[str]:
    """A line for each thing that is known."""
    return [f"[bold]{escape(story.record.name)}[/]", *(f"  {name:<12} {escape(text)}" for name, text in facts(story))]


def facts(story: Story) -> Iterator[tuple[str, str]]:
    """What is known, in the order in which a person asks."""
    record, caption = story.record, story.caption
    side = f", {record.split.replace('_', ' ')}" if record.split else ""
    yield "verdict", f"{record.verdict}{side}"
    for reason in record.reasons:
        yield "because", f"{reason.words} ({reason.code})"
    yield "caption", caption.text or "(none)"
    if caption.user and caption.automatic:
        yield "automatic", caption.automatic
    if caption.scores:
        yield (
            "tags",
            ", ".join(f"{tag} {score:.2f}" for tag, score in sorted(caption.scores.items(), key=lambda x: -x[1])),
        )
    yield "size", f"{record.width}x{record.height} pixels, {record.size:,} bytes" if record.width else "not decoded"
    if record.quality:
        yield "scores", ", ".join(f"{name} {score:.4g}" for name, score in sorted(record.quality.items()))
    if record.tags or record.weight != 1:
        yield "source says", ", ".join([*record.tags, *([f"weight {record.weight:g}"] if record.weight != 1 else [])])
    yield from lineage(story)
    yield "read from", f"{record.uri} (source {record.source})"
    yield "id", record.id
    yield "sha256", record.sha256
    yield "kept in", spans(story.versions) or "no snapshot"


def lineage(story: Story) -> Iterator[tuple[str, str]]:
    """What it is like, and what it was made from and into."""
    record = story.record
    if record.group:
        yield "group", f"{record.group}{f', with {listed(story.alike)}' if story.alike else ', alone'}"
    if story.same:
        yield "same bytes", listed(story.same)
    if record.depth:
        whole = f"{story.made_from.name} ({record.parent})" if story.made_from else record.parent
        drawn = ", ".join(f"{key} {value}" for key, value in record.drawn.items())
        yield "made from", f"{whole} by {record.made_by}, seed {record.seed}{f': {drawn}' if drawn else ''}"
    if story.made:
        blocks = ", ".join(sorted({one.made_by for one in story.made}))
        yield "made of it", f"{len(story.made)} pictures by {blocks}"


def listed(records: Sequence[Record]) -> str:
    """Names, and the verdict of those that are not kept."""
    names = [r.name if r.verdict == "kept" else f"{r.name} ({r.verdict})" for r in records[:SHOWN]]
    return ", ".join([*names, *([f"and {len(records) - SHOWN:,} more"] if len(records) > SHOWN else [])])


def spans(tags: Sequence[str]) -> str:
    """Snapshots as ranges: ``data-0001 to data-0003, data-0007``."""
    runs: list[list[str]] = []
    for tag in tags:
        if runs and int(tag.rpartition("-")[2]) == int(runs[-1][-1].rpartition("-")[2]) + 1:
            runs[-1].append(tag)
        else:
            runs.append([tag])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def story_json(story: Story) -> dict[str, Any]:
    """Everything, for scripts."""
    return {
        "record": asdict(story.record),
        "caption": {**asdict(story.caption), "text": story.caption.text},
        "alike": [one.name for one in story.alike],
        "same": [one.name for one in story.same],
        "made": [one.id for one in story.made],
        "versions": list(story.versions),
    }
