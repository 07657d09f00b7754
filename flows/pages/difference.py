"""`velatura data diff --html`: what changed between two versions, with pictures. Bounded, whatever its size."""

from __future__ import annotations

from html import escape
from pathlib import Path

from core.files import write_text
from curation.versions import KINDS, Difference
from evaluation.document import document
from flows.pages.data import named
from flows.pages.gallery import Gallery, figure, gallery, of, spread
from store.store import Store


def write_difference(store: Store, path: Path, found: Difference, before: str, after: str, most: int) -> None:
    """Write the page with at most ``most`` pictures of each kind."""
    eyes = Gallery(store)
    name = Path(store.uri).name
    counts = ", ".join(f"{count:,} {kind}" for kind, count in found.counts.items() if count)
    made = ", ".join(f"{count:,} {what}" for what, count in found.derived.items() if count)
    header = (
        f'<p class="over">{escape(name)} · from {escape(before)} to {escape(after)}</p>'
        f"<h1>{escape(counts or 'No picture, caption or split differs')}</h1>"
        + (f"<p>Of the pictures made from others: {escape(made)}.</p>" if made else "")
    )
    sections = [section(kind, found, eyes, most) for kind in KINDS]
    write_text(path, document(f"{name}: {before} to {after}", header, sections, "Velatura: two versions compared."))


def section(kind: str, found: Difference, eyes: Gallery, most: int) -> str:
    """One kind of change: the pictures, before and after where both are there."""
    rows = found.changes[kind]
    if not rows.num_rows:
        return ""
    chosen = rows.take(spread(rows.num_rows, most)).to_pylist()
    reasons = ", ".join(f"{count:,} {code}" for code, count in named(found.reasons).items())
    why = f" By reason: {escape(reasons)}." if kind == "refused" and reasons else ""
    shown = gallery((changed(kind, row, eyes) for row in chosen), wide=kind == "changed")
    lead = f"{KINDS[kind].capitalize()}.{why}{of(len(chosen), rows.num_rows)}"
    return f"<h2>{kind.capitalize()}: {rows.num_rows:,}</h2><p>{lead}</p>{shown}"


def changed(kind: str, row: dict[str, str], eyes: Gallery) -> str:
    """One picture with what was and what is."""
    if kind == "changed":
        pictures = "".join(eyes.picture(row[side], f"{row['name']}, {side}") for side in ("old", "new"))
        return figure(f'<div class="two">{pictures}</div>', row["name"], "")
    both = bool(row["before"]) and kind in ("recaptioned", "resplit", "reweighted", "retagged")
    words = f"{row['before']} → {row['after'] or '(nothing)'}" if both else row["after"] or row["before"]
    return figure(eyes.picture(row["new"] or row["old"], row["name"]), row["name"], words)
