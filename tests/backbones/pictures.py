"""Small pictures made from a seed."""

import numpy as np

from core.pixels import Pixels
from core.record import Record


def picture(seed: int, width: int = 64, height: int = 64) -> Pixels:
    """A smooth gradient with a square on it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    corners = rng.uniform(0, 255, (3, 3))
    pixels = corners[0] + x[..., None] * (corners[1] - corners[0]) + y[..., None] * (corners[2] - corners[0])
    top, left = rng.integers(0, height // 2), rng.integers(0, width // 2)
    pixels[top : top + height // 3, left : left + width // 3] = rng.uniform(0, 255, 3)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def record(seed: int) -> Record:
    """A record that stands for ``picture(seed)``."""
    return Record(id=f"record-{seed}", sha256=f"{seed:064x}", source="made", name=f"{seed}.png", uri="", seed=seed)


def read(of: Record) -> Pixels:
    """The picture of `record`."""
    return picture(of.seed)
