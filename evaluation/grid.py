"""Pictures beside each other, with words that can be read: sample grids, strips, samples beside what they resemble."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from core.pixels import Pixels

if TYPE_CHECKING:
    from PIL import Image, ImageFont

LEAST = 128
"""pixels a cell: smaller pictures are enlarged"""
MOST = 384
GAP = 6
TEXT = 15
PAPER, INK = (240, 240, 242), (40, 40, 46)


def grid(rows: Sequence[str], columns: Sequence[str], pictures: Sequence[Sequence[Pixels]]) -> bytes:
    """A PNG: one row per prompt, one column per network or step (``base``, ``step 100``). Seeds are the caller's."""
    from PIL import Image, ImageDraw

    assert len(pictures) == len(rows) and all(len(row) == len(columns) for row in pictures), "one picture per cell"
    font = _font()
    side = _side(pictures[0][0])
    margin = min(max(_width(font, row) for row in rows), round(1.5 * side)) + 2 * GAP if any(rows) else GAP
    head = TEXT + 3 * GAP if any(columns) else GAP
    sheet = Image.new("RGB", (margin + len(columns) * (side + GAP), head + len(rows) * (side + GAP)), PAPER)
    draw = ImageDraw.Draw(sheet)
    for at, name in enumerate(columns):
        lines = _wrapped(font, name, side)[:1]
        draw.text((margin + at * (side + GAP) + side / 2, head - GAP), lines[0], INK, font, anchor="md")
    for at, (prompt, row) in enumerate(zip(rows, pictures, strict=True)):
        top = head + at * (side + GAP)
        lines = _wrapped(font, prompt, margin - 2 * GAP)[: side // (TEXT + 4)]
        draw.multiline_text((GAP, top + side / 2), "\n".join(lines), INK, font, anchor="lm", spacing=4)
        for across, picture in enumerate(row):
            sheet.paste(_cell(picture, side), (margin + across * (side + GAP), top))
    return _png(sheet)


def strip(pictures: Sequence[Pixels], labels: Sequence[str] | None = None, *, across: int = 8) -> bytes:
    """A PNG of pictures in reading order, such as the training pictures, ``across`` to a line."""
    names = list(labels) if labels is not None else [""] * len(pictures)
    assert pictures, "a strip needs a picture"
    blank = np.full_like(pictures[0], 255)
    missing = -len(pictures) % across if len(pictures) > across else 0
    cells = [*pictures, *[blank] * missing]
    names += [""] * missing
    across = min(across, len(cells))
    lines = [
        grid([""], names[start : start + across], [cells[start : start + across]])
        for start in range(0, len(cells), across)
    ]
    return _stacked(lines)


def beside_nearest(pairs: Sequence[tuple[Pixels, Pixels, str]], *, across: int = 8) -> bytes:
    """A PNG of (sample, nearest training picture, words): samples above, the training pictures below them."""
    assert pairs, "nothing to show beside each other"
    lines = []
    for start in range(0, len(pairs), across):
        samples, nearest, words = zip(*pairs[start : start + across], strict=True)
        lines.append(grid(["sample", "nearest trained"], words, [samples, nearest]))
    return _stacked(lines)


def _side(picture: Pixels) -> int:
    longest = int(max(picture.shape[:2]))
    times = -(-LEAST // longest)  # a whole number of times, so that a small picture's pixels stay even
    return min(longest * times, MOST)


def _cell(picture: Pixels, side: int) -> Image.Image:
    """The picture, whole, in the middle of a square."""
    from PIL import Image

    image = Image.fromarray(picture)
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    image = image.resize(size, Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.LANCZOS)
    cell = Image.new("RGB", (side, side), PAPER)
    cell.paste(image, ((side - size[0]) // 2, (side - size[1]) // 2))
    return cell


def _font() -> ImageFont.FreeTypeFont:
    from PIL import ImageFont

    font = ImageFont.load_default(TEXT)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType: labels would not be readable"
    return font


def _width(font: ImageFont.FreeTypeFont, text: str) -> int:
    return int(font.getlength(text)) + 1


def _wrapped(font: ImageFont.FreeTypeFont, text: str, width: int) -> list[str]:
    """The text in lines of at most ``width`` pixels; a word that is longer is cut with an ellipsis."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if _width(font, longer) <= width:
            lines[-1] = longer
            continue
        while _width(font, word) > width and len(word) > 2:
            word = word.rstrip("…")[:-1] + "…"
        lines = [*lines, word] if lines[-1] else [word]
    return lines


def _stacked(sheets: Sequence[bytes]) -> bytes:
    from PIL import Image

    images = [Image.open(BytesIO(sheet)) for sheet in sheets]
    whole = Image.new("RGB", (max(one.width for one in images), sum(one.height for one in images)), PAPER)
    top = 0
    for one in images:
        whole.paste(one, (0, top))
        top += one.height
    return _png(whole)


def _png(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()
