"""The dataset card: the figures of one version as a page that stands on its own, and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

import pyarrow as pa
from pyarrow.compute import field

from core.files import write_text
from core.snapshot import Snapshot
from curation.card import Card, card
from evaluation import bars
from evaluation.document import document
from evaluation.tags import definitions, percent
from flows.pages.gallery import Gallery, gallery, spread
from store.store import Store

SHOWN = 35
"""kept pictures on the card"""


def write_card(store: Store, snapshot: Snapshot, folder: Path, title: str) -> dict[str, Path]:
    """Write the card of a snapshot into a folder, as ``html`` and as ``markdown``; where they are."""
    found = card(store, snapshot.tag)
    facts = [("snapshot", snapshot.tag), ("manifest", snapshot.manifest), *facts_of(found)]
    paths = {"html": folder / "dataset.html", "markdown": folder / "dataset.md"}
    write_text(paths["html"], page(store, snapshot, found, title))
    write_text(paths["markdown"], markdown(found, facts, title))
    return paths


def page(store: Store, snapshot: Snapshot, found: Card, title: str) -> str:
    """The card as HTML."""
    header = f'<p class="over">{escape(title)} · {snapshot.tag}</p><h1>{escape(headline(found))}</h1>'
    sections = [
        tiles(found),
        kept_pictures(store, snapshot.tag),
        *figures(found),
        f"<h2>This version</h2>{definitions([('snapshot', snapshot.tag), ('manifest', snapshot.manifest)])}",
    ]
    return document(f"{title}: {snapshot.tag}", header, sections, "Velatura: dataset card.")


def headline(found: Card) -> str:
    """The dataset in one sentence."""
    held, refused, gone = (
        found.splits.get("held_out", 0),
        found.verdicts.get("refused", 0),
        found.verdicts.get("removed", 0),
    )
    trained = found.kept - held
    made = f" {found.derived:,} more were made from them." if found.derived else ""
    away = f", {gone:,} no longer in a source" if gone else ""
    return f"{found.kept:,} pictures: {trained:,} to train on, {held:,} held out. {refused:,} refused{away}.{made}"


def tiles(found: Card) -> str:
    """The counts that matter most."""
    families = found.families
    held = found.splits.get("held_out", 0)
    shown = {
        f"{found.kept:,} kept": f"of {sum(found.verdicts.values()):,} pictures that were seen",
        f"{held:,} held out": f"in {found.groups.get('held_out', 0):,} groups, never trained on",
        f"{found.verdicts.get('refused', 0):,} refused": ", ".join(list(found.reasons)[:3]).replace("_", " ") or "none",
        f"{families.get('pictures', 0):,} with a double": f"in {families.get('groups', 0):,} groups of near-duplicates",
        f"{percent(found.synthetic)} made": "share of kept pictures that were made from others",
    }
    return (
        '<div class="tiles">'
        + "".join(
            f'<div class="tile"><b>{escape(value)}</b><small>{escape(words)}</small></div>'
            for value, words in shown.items()
        )
        + "</div>"
    )


def kept_pictures(store: Store, tag: str) -> str:
    """Some of the kept pictures with what is said of them, evenly spread over the names."""
    kept = store.columns("records", "id", "name", "sha256", "verdict", "depth", tag=tag)
    kept = kept.filter((field("verdict") == "kept") & (field("depth") == 0))
    kept = kept.sort_by([("name", "ascending"), ("sha256", "ascending")])
    rows = kept.take(spread(kept.num_rows, SHOWN)).to_pylist() if kept.num_rows else []
    said = store.columns("captions", "record", "user", "automatic", tag=tag)
    said = said.filter(field("record").isin(pa.array([row["id"] for row in rows], pa.string())))
    texts = {one["record"]: one["user"] or one["automatic"] for one in said.to_pylist()}
    eyes = Gallery(store)
    shown = gallery(eyes.figure(row, texts.get(row["id"], "")) for row in rows)
    return f"<h2>Pictures that are kept</h2><p>{len(rows)} of {kept.num_rows:,}.</p>{shown}" if rows else ""


def figures(found: Card) -> list[str]:
    """Counts and sizes as charts."""
    panels = {
        "Width to height": found.shapes,
        "Megapixels": found.megapixels,
        "Words of the caption": found.words,
        "Captioned by": found.captions,
        "Not kept, by reason": named(found.reasons),
        "Licence, as noted": dict(list(found.licences.known.items())[:12]),
        "Kept, by source": {source: counts.get("kept", 0) for source, counts in list(found.sources.items())[:12]},
    }
    drawn = "".join(
        f'<div class="panel"><h3>{escape(name)}</h3>{bars.rows(counts)}</div>'
        for name, counts in panels.items()
        if counts
    )
    lead = "<h2>Figures</h2><p>Of the kept pictures, unless a chart says otherwise.</p>"
    return [
        f'{lead}<div class="small halves">{drawn}</div>',
        definitions(facts_of(found)),
        score_panels(found),
    ]


def score_panels(found: Card) -> str:
    """The histogram of every score."""
    drawn = "".join(
        f'<div class="panel"><h3>{escape(name.replace("_", " "))}</h3>{bars.columns(one.edges, one.counts)}</div>'
        for name, one in found.quality.items()
    )
    words = "The middle 99 % of each; what lies beyond is in the outermost bars. Filters judge by these."
    return f'<h2>Scores</h2><p>{words}</p><div class="small">{drawn}</div>' if drawn else ""


def named(counts: Mapping[str, int]) -> dict[str, int]:
    """Reason codes as words."""
    return {code.replace("_", " "): count for code, count in counts.items()}


def facts_of(found: Card) -> list[tuple[str, str]]:
    """What is said in numbers rather than drawn."""
    sides = [(side, sizes(*three)) for side, three in found.sides.items()]
    families, noted = found.families, found.licences
    doubles = (
        f"{families['pictures']:,} pictures in {families['groups']:,} groups, the largest of {families['largest']:,}"
        if families.get("groups")
        else "none"
    )
    groups = ", ".join(
        f"{count:,} {split.replace('_', ' ') or 'without a side'}" for split, count in found.groups.items()
    )
    asked = f"{noted.by_source:,} told by the source; of the others {noted.looked_at:,} files were looked at"
    return [
        *sides,
        ("bytes", f"{found.bytes:,}"),
        ("different pictures", groups or "none"),
        ("near-duplicates", doubles),
        ("made from others", f"{found.derived:,}, {percent(found.synthetic)} of what is kept"),
        ("licences", f"{sum(noted.known.values()):,} known of {noted.of:,}: {asked}"),
    ]


def sizes(low: int, middle: int, high: int) -> str:
    """A range of sizes in words."""
    return f"{low:,} to {high:,} pixels, the middle one {middle:,}" if low < high else f"{low:,} pixels"


def markdown(found: Card, facts: list[tuple[str, str]], title: str) -> str:
    """The card as Markdown, for a model page or a repository."""
    parts = [f"# {title}: dataset card", headline(found), "\n".join(f"- **{name}**: {text}" for name, text in facts)]
    tables = {
        "By source": {f"{s}, {v}": count for s, counts in found.sources.items() for v, count in counts.items()},
        "Split": named(found.splits),
        "Not kept, by reason": named(found.reasons),
        "Width to height": found.shapes,
        "Megapixels": found.megapixels,
        "Words of the caption": found.words,
        "Captioned by": found.captions,
        "Licence, as noted": found.licences.known,
    }
    for name, counts in tables.items():
        if counts:
            rows = "\n".join(f"| {cell(what)} | {count:,} |" for what, count in counts.items())
            parts.append(f"## {name}\n\n| | pictures |\n|---|---:|\n{rows}")
    return "\n\n".join(parts) + "\n"


def cell(text: str) -> str:
    """Words that a Markdown table can take."""
    return " ".join(text.replace("|", "\\|").split()) or "(none)"
