"""Small pieces of HTML: pictures that are their own address, lists, tables of figures, numbers as people write them."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from html import escape
from io import BytesIO

from core.pixels import Pixels
from evaluation.metric import Figure

MOST_PIXELS = 256
"""longest side of a picture inside the page"""


def img(picture: Pixels, words: str, *, most: int = MOST_PIXELS) -> str:
    """A picture within the page; ``words`` are for those who cannot see it."""
    height, width = picture.shape[:2]
    return f'<img src="{data_uri(picture, most)}" width="{width}" height="{height}" alt="{escape(words)}">'


def data_uri(picture: Pixels, most: int = MOST_PIXELS) -> str:
    """The picture as an address that contains it: lossless when small, JPEG otherwise."""
    from PIL import Image

    image = Image.fromarray(picture)
    small = max(image.size) <= 96
    image.thumbnail((most, most), Image.Resampling.LANCZOS)
    file = BytesIO()
    if small:
        image.save(file, "PNG", optimize=True)
    else:
        image.save(file, "JPEG", quality=88, subsampling=0)
    return f"data:image/{'png' if small else 'jpeg'};base64,{base64.b64encode(file.getvalue()).decode()}"


def thumbs(pictures: Sequence[Pixels]) -> str:
    """A few small pictures in a row."""
    shown = "".join(img(picture, "", most=88) for picture in pictures)
    return f'<div class="thumbs">{shown}</div>' if pictures else ""


def definitions(pairs: Sequence[tuple[str, str]], *, code: bool = False) -> str:
    """Names and what they stand for."""
    tag = "code" if code else "span"
    rows = (f"<dt>{escape(name)}</dt><dd><{tag}>{escape(text)}</{tag}></dd>" for name, text in pairs)
    return f"<dl>{''.join(rows)}</dl>" if pairs else ""


def folded(summary: str, inside: str) -> str:
    """Something that opens when asked for."""
    return f"<details><summary>{escape(summary)}</summary>{inside}</details>"


def figure_table(figures: Sequence[Figure]) -> str:
    """Every figure with its interval, to four digits."""
    head = "".join(f'<th class="n">{name}</th>' for name in ("value", "from", "to"))
    rows = "".join(
        f"<tr><td>{escape(figure.name)}</td>"
        + "".join(f'<td class="n">{_exact(value)}</td>' for value in (figure.value, figure.low, figure.high))
        + "</tr>"
        for figure in figures
    )
    return f'<table class="plain"><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>'


def tile(
    value: str,
    words: str,
    figure: Figure,
    picture: str,
    *,
    style: str = "",
    write: Callable[[float], str] | None = None,
) -> str:
    """A key figure: its value, a picture of its interval, the interval in numbers, what it means."""
    written = [(write or signed)(end) for end in (figure.low, figure.high)]
    sure = math.isfinite(figure.high - figure.low)
    interval = f"{written[0]} to {written[1]} (95 %)" if sure else "too few pictures for an interval"
    return (
        f'<div class="tile {style}"><b>{escape(value)}</b>{picture}'
        f'<small class="range">{interval}</small><small>{escape(words)}</small></div>'
    )


def percent(share: float) -> str:
    """A share in words: ``12 %``; one digit more below one percent."""
    if not math.isfinite(share):
        return "unknown"
    value = 100 * share
    return (f"{value:.1f} %" if 0 < abs(value) < 0.95 else f"{value:.0f} %").replace("-", "−")


def signed(value: float) -> str:
    """Two digits after the point, with its sign."""
    return f"{value:+.2f}".replace("-", "−") if math.isfinite(value) else "unknown"


def _exact(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}".replace("-", "−").replace("inf", "∞")
