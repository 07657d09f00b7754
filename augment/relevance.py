"""Where in a picture to look: where it is most detailed, or where CLIP finds what the caption says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.pixels import Pixels

if TYPE_CHECKING:
    from backbones.clip import Clip

Map = NDArray[np.float64]
"""(rows, columns), 0 or more: how much each place counts"""

CELLS = 64
"""of a map, along the longer side"""
EDGE = 24.0
"""grey levels per pixel: steeper counts no more, so that one hard outline does not outweigh a fine texture"""
PLACES = 5
"""along each side at which CLIP looks"""
SURE = 1e-3
"""of a cosine: less is rounding, as between the parts of a flat picture"""
LOOK = 2
"""raise it when `subject` gives other places"""


def detail(image: Pixels) -> Map:
    """How steeply brightness changes around each place."""
    height, width = image.shape[:2]
    grey = Image.fromarray(image).convert("L")
    factor = max(1, max(width, height) // (4 * CELLS))
    values = np.asarray(grey.reduce(factor), dtype=np.float64)
    across = np.abs(np.diff(values, axis=1, append=values[:, -1:]))
    down = np.abs(np.diff(values, axis=0, append=values[-1:]))
    steep = np.minimum(np.hypot(across, down), EDGE)
    size = cells(width, height)
    return np.asarray(Image.fromarray(steep.astype(np.float32)).resize(size, Image.Resampling.BOX), dtype=np.float64)


def subject(image: Pixels, caption: str, clip: Clip, wide: int, tall: int) -> tuple[int, int]:
    """(x, y) of the part of ``wide`` x ``tall`` that fits the caption and stands for the whole picture the most.

    Of parts that do so equally well it is the most central. Without a caption the picture alone says what to look for.
    """
    height, width = image.shape[:2]
    lefts = np.unique(np.linspace(0, width - wide, PLACES).round().astype(int))
    tops = np.unique(np.linspace(0, height - tall, PLACES).round().astype(int))
    places = [(int(x), int(y)) for y in tops for x in lefts]
    parts = clip.embed_pictures([np.ascontiguousarray(image[y : y + tall, x : x + wide]) for x, y in places])
    fits = apart(parts @ clip.embed_pictures([image])[0])
    if caption:
        fits = fits + apart(parts @ clip.embed_texts([caption])[0])
    away = [np.hypot((x + wide / 2) / width - 0.5, (y + tall / 2) / height - 0.5) for x, y in places]
    return places[int(np.argmin(np.where(fits >= fits.max() - SURE, away, np.inf)))]


def apart(likeness: NDArray[np.float32]) -> NDArray[np.float64]:
    """How many spreads each place lies above the others, so that words and pictures weigh the same; 0 for rounding."""
    values = likeness.astype(np.float64)
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > SURE else np.zeros_like(values)


def cells(width: int, height: int) -> tuple[int, int]:
    """(columns, rows) of a map of a picture of this size."""
    scale = min(1.0, CELLS / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def best_place(counts: Map, width: int, height: int, wide: int, tall: int) -> tuple[int, int]:
    """(x, y) of the part of ``wide`` x ``tall`` that holds the most; where many hold as much, the most central on it.

    Where nothing counts it is the middle.
    """
    rows, columns = counts.shape
    across = min(columns, max(1, round(wide / width * columns)))
    down = min(rows, max(1, round(tall / height * rows)))
    sums = np.pad(counts, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    held = sums[down:, across:] - sums[:-down, across:] - sums[down:, :-across] + sums[:-down, :-across]
    y, x = np.mgrid[0 : held.shape[0], 0 : held.shape[1]]
    whole = float(counts.sum())
    if whole <= 0:
        return (width - wide) // 2, (height - tall) // 2
    middle_y = float((counts.sum(1) * (np.arange(rows) + 0.5)).sum()) / whole
    middle_x = float((counts.sum(0) * (np.arange(columns) + 0.5)).sum()) / whole
    away = np.hypot((y + down / 2 - middle_y) / rows, (x + across / 2 - middle_x) / columns)
    best = int(np.argmax(np.round(held / whole, 3) - 1e-3 * away))
    top, left = divmod(best, held.shape[1])
    return min(round(left / columns * width), width - wide), min(round(top / rows * height), height - tall)
