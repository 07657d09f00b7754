"""What a colour is called: the nearest of a few names, as people see distances (CIELAB)."""

import numpy as np
from numpy.typing import NDArray

from core.pixels import Pixels

Floats = NDArray[np.float64]
NAMES: dict[str, tuple[int, int, int]] = {
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "grey": (128, 128, 128),
    "red": (220, 30, 30),
    "orange": (255, 140, 0),
    "yellow": (250, 225, 40),
    "green": (40, 160, 60),
    "blue": (40, 90, 220),
    "purple": (130, 50, 170),
    "pink": (250, 150, 190),
    "brown": (120, 75, 40),
}
"""sRGB"""
SHADES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "red": ((160, 20, 20), (240, 90, 80)),
    "green": ((20, 100, 40), (130, 210, 120)),
    "blue": ((20, 40, 130), (110, 180, 240)),
    "yellow": ((250, 240, 140),),
    "grey": ((190, 190, 190), (70, 70, 70)),
}
"""darker and lighter ones of the same name"""
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])
"""of D65 light"""


def name_of(colour: Floats) -> str:
    """The name of an sRGB colour, 0 to 255 each."""
    known = [(name, shade) for name, own in NAMES.items() for shade in (own, *SHADES.get(name, ()))]
    apart = np.linalg.norm(lab(np.array([shade for _, shade in known], float)) - lab(colour[None]), axis=1)
    return known[int(apart.argmin())][0]


def lab(colours: Floats) -> Floats:
    """(n, 3) sRGB, 0 to 255, as CIELAB."""
    share = colours / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    xyz = linear @ TO_XYZ.T / WHITE
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)


def ground_of(picture: Pixels) -> Floats:
    """(3,) the median colour along the picture's four sides, a sixteenth of it deep."""
    height, width = picture.shape[:2]
    deep = max(1, min(height, width) // 16)
    inside = np.zeros((height, width), bool)
    inside[deep : height - deep, deep : width - deep] = True
    median: Floats = np.median(picture[~inside].astype(np.float64), axis=0)
    return median
