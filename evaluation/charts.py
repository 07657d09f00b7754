"""Curves as inline SVG: axes with words, interval bands, a mark; colours come from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from evaluation.metric import Figure


@dataclass(frozen=True, slots=True)
class Line:
    """One curve. ``style`` is a class of the style sheet: ``learning``, ``gap``, ``loss``, ``faint``."""

    name: str
    style: str
    at: tuple[float, ...]
    figures: tuple[Figure, ...]
    dots: bool = True


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps numbers to places on the page."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def chart(
    lines: Sequence[Line],
    *,
    width: int,
    height: int,
    across: str,
    up: str,
    mark: tuple[float, str] | None = None,
    limits: tuple[float, float] | None = None,
) -> str:
    """One chart. ``limits`` fixes the vertical range (for charts side by side)."""
    low, high = limits or vertical_limits(lines)
    steps = ticks(low, high, max(3, height // 50))
    xs = [x for line in lines for x in line.at]
    most = max(xs) if max(xs) > min(xs) else min(xs) + 1
    left, right, top, bottom = 16 + 7 * max(len(number(t)) for t in steps), 14, 26 if up else 8, 40
    x = Scale(min(xs), most, left, width - right)
    y = Scale(low, high, height - bottom, top)
    name = f"{up} by {across}: " + "; ".join(f"{line.name} ends at {number(line.figures[-1].value)}" for line in lines)
    parts = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(name)}">']
    for tick in steps:
        style = "zero" if tick == 0 else "rule"
        parts.append(f'<line class="{style}" x1="{left}" x2="{width - right}" y1="{y(tick)}" y2="{y(tick)}"/>')
        parts.append(_text(left - 7, y(tick) + 4, number(tick), "tick", "end"))
    for tick in ticks(min(xs), most, max(2, width // 90)):
        parts.append(_text(x(tick), height - bottom + 18, number(tick), "tick", "middle"))
    parts.append(_text(left, 13, up, "axis", "start"))
    parts.append(_text(width - right, height - 5, across, "axis", "end"))
    if mark is not None:
        place = x(mark[0])
        anchor = "end" if place > (left + width) / 2 else "start"
        parts.append(f'<line class="mark" x1="{place}" x2="{place}" y1="{top}" y2="{height - bottom}"/>')
        parts.append(_text(place + (-6 if anchor == "end" else 6), top + 9, mark[1], "marked", anchor))
    parts += [_band(line, x, y, low, high) for line in lines]
    parts += [_curve(line, x, y, across) for line in lines]
    return "".join([*parts, "</svg>"])


def whisker(figure: Figure, *, low: float, high: float, width: int = 200) -> str:
    """A figure and its interval on a short line with zero on it: for beside the number."""
    x = Scale(low, high, 6, width - 6)
    start = min(max(figure.low, low), high) if math.isfinite(figure.low) else low
    end = min(max(figure.high, low), high) if math.isfinite(figure.high) else high
    parts = [
        f'<svg class="whisker" viewBox="0 0 {width} 16" aria-hidden="true">',
        f'<line class="rule" x1="6" x2="{width - 6}" y1="8" y2="8"/>',
        f'<line class="interval" x1="{x(start)}" x2="{x(end)}" y1="8" y2="8"/>',
    ]
    if low <= 0 <= high:
        parts.append(f'<line class="zero" x1="{x(0)}" x2="{x(0)}" y1="2" y2="14"/>')
    if math.isfinite(figure.value):
        parts.append(f'<circle class="point" cx="{x(min(max(figure.value, low), high))}" cy="8" r="4"/>')
    return "".join([*parts, "</svg>"])


def vertical_limits(lines: Sequence[Line]) -> tuple[float, float]:
    """A range that holds every value and its band, but lets no wide band press the curves flat; zero is in it."""
    figures = [figure for line in lines for figure in line.figures if math.isfinite(figure.value)]
    values = [0.0, *(figure.value for figure in figures)]
    low, high = min(values), max(values)
    room = max(high - low, 0.05)
    ends = [end for figure in figures for end in (figure.low, figure.high) if math.isfinite(end)]
    low = max(min([low, *ends]), low - room)
    high = min(max([high, *ends]), high + room)
    return low - 0.04 * room, high + 0.08 * room


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers within a range, about as many as asked for, and one at least."""
    rough = (high - low) / max(1, about)
    power = 10.0 ** math.floor(math.log10(rough))
    steps = [power * times for times in (0.5, 1, 2, 5, 10)]
    wanted = next(at for at, step in enumerate(steps) if step >= rough * 0.999)
    for step in reversed(steps[: wanted + 1]):  # a wide step may pass over a range that lies between two of its ticks
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if first <= last:
            break
    return [round(at * step, 10) + 0.0 for at in range(first, last + 1)]


def number(value: float) -> str:
    """A number as a reader wants it: no exponent, no more digits than it carries, a true minus sign."""
    if not math.isfinite(value):
        return "unknown"
    text = f"{value:.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"
    return text.replace("-", "−")


def _band(line: Line, x: Scale, y: Scale, low: float, high: float) -> str:
    def clipped(value: float) -> float:
        return y(min(max(value, low), high))

    known = [
        (at, f) for at, f in zip(line.at, line.figures, strict=True) if math.isfinite(f.low) and math.isfinite(f.high)
    ]
    if len(known) < 2:
        return ""
    there = [f"{x(at)},{clipped(f.high)}" for at, f in known]
    back = [f"{x(at)},{clipped(f.low)}" for at, f in reversed(known)]
    return f'<polygon class="band {line.style}" points="{" ".join([*there, *back])}"/>'


def _curve(line: Line, x: Scale, y: Scale, across: str) -> str:
    known = [(at, f) for at, f in zip(line.at, line.figures, strict=True) if math.isfinite(f.value)]
    parts = []
    if len(known) > 1:
        points = " ".join(f"{x(at)},{y(f.value)}" for at, f in known)
        parts.append(f'<polyline class="line {line.style}" points="{points}"/>')
    if line.dots:
        for at, figure in known:
            title = f"{across} {number(at)}: {line.name} {figure}"
            dot = f'cx="{x(at)}" cy="{y(figure.value)}" r="3.5"'
            parts.append(f'<circle class="dot {line.style}" {dot}><title>{escape(title)}</title></circle>')
    return "".join(parts)


def _text(x: float, y: float, text: str, style: str, anchor: str) -> str:
    return f'<text class="{style}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def smoothed(values: Sequence[float], most: int) -> list[tuple[int, float]]:
    """(position, mean) of at most so many stretches of equal length: a noisy curve with less of its noise."""
    width = math.ceil(len(values) / most)
    edges = [*range(0, len(values), width), len(values)]
    return [((start + end - 1) // 2, sum(values[start:end]) / (end - start)) for start, end in pairwise(edges)]
