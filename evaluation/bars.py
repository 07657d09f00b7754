"""Counts as bars: inline SVG whose colours come from the page's style sheet."""

from collections.abc import Mapping, Sequence
from html import escape

from evaluation.charts import number


def rows(counts: Mapping[str, int], *, width: int = 330) -> str:
    """A line for each name, its bar and its count: for names that are words."""
    if not counts:
        return ""
    most, left, step = max(counts.values()) or 1, 8 + 7 * max(len(name) for name in counts), 24
    room = max(40, width - left - 64)
    parts = [_svg(width, step * len(counts), "; ".join(f"{name}: {count}" for name, count in counts.items()))]
    for at, (name, count) in enumerate(counts.items()):
        y, long = step * at, max(1.5, room * count / most) if count else 0
        parts.append(f'<text class="axis" x="{left - 8}" y="{y + 16}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect class="bar" x="{left}" y="{y + 4}" width="{long:.1f}" height="16" rx="2"/>')
        parts.append(f'<text class="tick" x="{left + long + 6:.1f}" y="{y + 16}">{count:,}</text>')
    return "".join([*parts, "</svg>"])


def columns(edges: Sequence[float], counts: Sequence[int], *, width: int = 250, height: int = 120) -> str:
    """A histogram: what lies between each edge and the next, with both ends of the range written below."""
    if edges[0] == edges[-1]:
        return f'<p class="quiet">All {sum(counts):,} have {number(edges[0])}.</p>'
    most, base = max(counts) or 1, height - 20
    wide = width / max(1, len(counts))
    parts = [_svg(width, height, f"{sum(counts)} values from {number(edges[0])} to {number(edges[-1])}")]
    for at, count in enumerate(counts):
        tall = max(1.0, (base - 4) * count / most) if count else 0
        title = f"<title>{number(edges[at])} to {number(edges[at + 1])}: {count:,}</title>"
        place = f'x="{at * wide + 0.5:.1f}" y="{base - tall:.1f}" width="{max(1.0, wide - 1):.1f}" height="{tall:.1f}"'
        parts.append(f'<rect class="bar" {place}>{title}</rect>')
    parts.append(f'<line class="zero" x1="0" x2="{width}" y1="{base}" y2="{base}"/>')
    parts.append(f'<text class="tick" x="0" y="{height - 4}">{number(edges[0])}</text>')
    parts.append(f'<text class="tick" x="{width}" y="{height - 4}" text-anchor="end">{number(edges[-1])}</text>')
    return "".join([*parts, "</svg>"])


def _svg(width: int, height: int, name: str) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(name)}">'
