"""Which words for colours are true of a picture, by its pixels: for captions that have lost theirs."""

import numpy as np
from numpy.typing import NDArray

from core.pixels import Pixels

COLOURS = {
    "red": (215, 40, 45),
    "orange": (245, 140, 35),
    "yellow": (250, 215, 60),
    "green": (65, 160, 70),
    "cyan": (75, 200, 210),
    "blue": (45, 85, 205),
    "purple": (135, 70, 185),
    "pink": (250, 160, 195),
    "brown": (125, 75, 45),
    "white": (255, 255, 255),
    "grey": (150, 150, 150),
    "black": (20, 20, 20),
}
"""what a typical one of each looks like, sRGB; the last three are no colours"""
PLAIN = ("white", "grey", "black")
LEAST = 0.25
"""share of all that has a colour which one must cover to be named"""
FAINT = 10.0
"""of CIE Lab's chroma: below it nobody sees a colour"""
SIDE = 48
"""pixels along the longer side are looked at"""


def colours(image: Pixels) -> list[str] | None:
    """The words for its colours, the widest first; None where nobody would see a colour in it."""
    step = max(1, max(image.shape[:2]) // SIDE)
    seen = lab(image[(step - 1) // 2 :: step, (step - 1) // 2 :: step].reshape(-1, 3))
    if not len(seen) or float(np.quantile(np.hypot(seen[:, 1], seen[:, 2]), 0.98)) < FAINT:
        return None
    apart = seen[:, None] - _TYPICAL[None]
    apart[..., 0] *= 0.7  # a darker red is still red
    counts = np.bincount((apart**2).sum(-1).argmin(-1), minlength=len(COLOURS))[: -len(PLAIN)]
    words = list(COLOURS)
    return [words[at] for at in np.argsort(-counts, kind="stable") if counts[at] >= max(1, LEAST * counts.sum())]


def lab(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """CIE Lab (n, 3), D65, of sRGB (n, 3)."""
    share = rgb.astype(np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    xyz = linear @ np.array([[0.4339, 0.2126, 0.0178], [0.3763, 0.7152, 0.1095], [0.1898, 0.0722, 0.8727]])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    found: NDArray[np.float64] = np.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1
    )
    return found


_TYPICAL = lab(np.array(list(COLOURS.values()), np.uint8))
