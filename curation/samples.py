"""Samples of 1, 12, 16 and 32 bits and floats, scaled to 8 bits by the range that they really have.

| samples | 0 and 255 stand for |
|---|---|
| 16-bit unsigned | 0 and 65535, a value is divided by 257 and rounded (in a TIFF of 9 to 15 bits, by those) |
| 32-bit integers, floats | 0 and the smallest of 1 (floats), 255, 65535 that the largest value fits into |
| the same with values below 0 or above 65535 | the smallest and the largest value in the picture |

What is not finite counts as 0. (Pillow's own ``convert("RGB")`` cuts at 255, which turns such pictures white.)
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def eight_bits(image: Image.Image) -> Image.Image:
    """The same picture in a mode of 8-bit samples, its profile and transparency kept."""
    if image.mode.startswith("I;16"):
        made = from_sixteen(np.asarray(image), full_scale(image))
    elif image.mode in ("I", "F"):
        known = 65535.0 if image.format in ("PNG", "PPM") and image.mode == "I" else None
        made = from_range(np.asarray(image), known)
    else:
        return image
    flat = Image.fromarray(made)
    key = image.info.get("transparency")
    if isinstance(key, int):
        flat.putalpha(Image.fromarray(np.where(np.asarray(image) == key, 0, 255).astype(np.uint8)))
    if "icc_profile" in image.info:
        flat.info["icc_profile"] = image.info["icc_profile"]
    return flat


def full_scale(image: Image.Image) -> int:
    """The value that means white in 16-bit samples."""
    bits = 16
    if image.format == "TIFF":
        bits = int(image.tag_v2.get(258, (16,))[0])  # type: ignore[attr-defined]
    return int((1 << bits) - 1) if 8 < bits < 16 else 65535


def from_sixteen(values: NDArray[np.generic], scale: int) -> NDArray[np.uint8]:
    """Unsigned values up to ``scale``, rounded to 0 to 255."""
    wide = values.astype(np.uint32)
    return np.minimum((wide * 255 + scale // 2) // scale, 255).astype(np.uint8)


def from_range(values: NDArray[np.generic], known: float | None) -> NDArray[np.uint8]:
    """Integers or floats of unknown scale; ``known`` is what white is, where the format says it."""
    real = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(real.min()), float(real.max())
    if low >= 0:
        whites = [1.0] if values.dtype.kind == "f" else []
        fits = [known] if known else [white for white in (*whites, 255.0, 65535.0) if high <= white]
        if fits and fits[0] >= high:
            low, high = 0.0, fits[0]
    if high == low:
        return np.zeros(real.shape, np.uint8)
    return np.clip(np.rint((real - low) * (255.0 / (high - low))), 0, 255).astype(np.uint8)
