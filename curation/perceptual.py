"""A 64-bit hash that hardly changes when a picture is saved again, resized or brightened: after pHash (Zauner, 2010).

The 8x8 lowest frequencies of the 32x32 luma's cosine transform, one bit each: is it above ``QUIET`` of the strongest?
pHash compares with the median instead. In symmetric pictures on one colour (icons, emoji) half of the coefficients are
nearly zero and so is their median, so that noise decides those bits: saving such a picture as a JPEG of quality 60
turned up to 28 of them (p95: 10), and with this rule 3 (p95: 1). In return pictures of one layout get the same hash
more often: the hash finds candidates, and `curation.duplicates` compares their thumbnails.
"""

import numpy as np
from numpy.typing import NDArray

VERSION = 1
QUIET = 0.02
FLAT = 32.0
"""strongest coefficient of a picture that varies by about one grey level: below, only noise would be hashed"""


def _cosines(size: int) -> NDArray[np.float64]:
    n = np.arange(size)
    table = np.cos(np.pi * (2 * n[None, :] + 1) * n[:, None] / (2 * size)) * np.sqrt(2 / size)
    table[0] /= np.sqrt(2)
    low: NDArray[np.float64] = table[:8]
    return low


COSINES = _cosines(32)
MIRROR = np.where(np.arange(8) % 2, -1.0, 1.0)
"""mirroring a picture turns the sign of the odd horizontal frequencies"""


def hashes(luma: NDArray[np.uint8]) -> tuple[int, int]:
    """``(hash, hash of the mirrored picture)`` of 32x32 luma; ``(0, 0)``, which is no hash, for a flat picture."""
    low = COSINES @ luma.astype(np.float64) @ COSINES.T
    straight, mirrored = packed_rows(np.stack((low, low * MIRROR))).tolist()
    return straight, mirrored


def packed_rows(low: NDArray[np.float64]) -> NDArray[np.uint64]:
    """The hashes (...) of lowest frequencies (..., 8, 8), the first of which (brightness) is set to 0.

    0, which is no hash, for a flat picture.
    """
    low[..., 0, 0] = 0.0
    strongest = np.abs(low).max((-1, -2), keepdims=True)
    bits = (low > QUIET * strongest).reshape(*low.shape[:-2], 64)
    packed = np.packbits(bits, axis=-1).view(">u8")[..., 0].astype(np.uint64)
    return np.where(strongest[..., 0, 0] < FLAT, np.uint64(0), packed)
