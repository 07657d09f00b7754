"""What `velatura lora inspect` prints."""

import json
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

LONG = 100
"""characters of a value of the metadata that are shown; --json has all"""


def told(found: Any, console: Console) -> None:
    """A file in words: what matters first, its parts as a table, its metadata last."""
    rows = {
        "file": found.file,
        "kind": f"{found.kind} ({found.layout})",
        "base": found.base,
        "size": f"{found.values:,} values in {found.tensors} tensors, {found.dtype}",
        "sha256": found.sha256,
        "words": ", ".join(found.words) or "none are written down",
        "needs": found.needs,
        "verdict": found.metadata.get("velatura.verdict_words") or found.metadata.get("velatura.verdict", ""),
        "note": "; ".join(found.notes),
    }
    for name, words in rows.items():
        if words:
            console.print(f"[bold]{name:<9}[/]{escape(words)}", soft_wrap=True)
    if found.blocks:
        console.print(blocks(found))
    for key, value in sorted(found.metadata.items()):
        console.print(f"  [dim]{escape(key)}[/] = {escape(shortened(value))}", soft_wrap=True)


def blocks(found: Any) -> Table:
    """Layers, ranks, alphas and norms by part."""
    whole = found.kind == "whole model"
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("part", "values" if whole else "vectors" if found.kind == "embedding" else "layers"):
        table.add_column(name)
    shown = [
        name for name in ("ranks", "alphas", "norm") if any(getattr(one, name) is not None for one in found.blocks)
    ]
    for name in shown:
        table.add_column({"ranks": "rank", "alphas": "alpha"}.get(name, name))
    for one in found.blocks:
        table.add_row(one.part, f"{one.layers:,}", *(span(getattr(one, name)) for name in shown))
    return table


def span(value: Any) -> str:
    """A number, or two where they differ."""
    if value is None:
        return "-"
    if isinstance(value, tuple):
        low, high = value
        return f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return f"{value:.4g}"


def shortened(value: str) -> str:
    """One line, not too long."""
    try:
        value = json.dumps(json.loads(value), ensure_ascii=False)
    except ValueError:
        value = " ".join(value.split())
    return value if len(value) <= LONG else f"{value[:LONG]} ... ({len(value):,} characters)"
