"""One decoded picture as the checks see it: its pixels, and the reduced copies that several of them share."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.pixels import Pixels
from curation.decode import Mask

SMALL = 256
"""pixels: the reduced copy's shorter side is at least this (or the picture's own) and less than twice this"""
VERSION = 1
"""Raise it when the same pixels begin to give other copies."""
THUMBNAIL = 32


class View:
    """Made once for each picture; a reduced copy is made when the first check asks for it."""

    def __init__(self, pixels: Pixels, alpha: Mask | None = None) -> None:
        self.pixels = pixels
        self.alpha = alpha

    @cached_property
    def _small(self) -> Image.Image:
        image = without_copy(self.pixels)
        factor = min(image.size) // SMALL
        return (image.reduce(factor) if factor > 1 else image).convert("RGB")

    @cached_property
    def small(self) -> Pixels:
        """The picture shrunk by a whole factor, each pixel the mean of a square."""
        return np.asarray(self._small)

    @cached_property
    def channels(self) -> tuple[NDArray[np.uint8], ...]:
        """`small` as a plane for each colour."""
        return tuple(np.asarray(plane) for plane in self._small.split())

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        """`small` as Rec. 601 luma."""
        return np.asarray(self._small.convert("L"))

    @cached_property
    def range(self) -> tuple[int, int]:
        """The darkest and the brightest level of `grey`, leaving out half a percent of the pixels at each end."""
        return percentile(self.grey, 0.005), percentile(self.grey, 0.995)

    @cached_property
    def _thumbnail(self) -> Image.Image:
        return self._small.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR)

    @cached_property
    def thumbnail(self) -> Pixels:
        """32x32, the whole picture squeezed into a square: what is hashed, and what tells equal hashes apart."""
        return np.asarray(self._thumbnail)

    @cached_property
    def thumbnail_grey(self) -> NDArray[np.uint8]:
        """`thumbnail` as Rec. 601 luma."""
        return np.asarray(self._thumbnail.convert("L"))


def without_copy(pixels: Pixels) -> Image.Image:
    """The picture for Pillow, which wants four bytes a pixel: those that `decode` has padded are there already."""
    height, width = pixels.shape[:2]
    whole = pixels.base
    if isinstance(whole, np.ndarray) and whole.shape == (height, width, 4) and whole.flags.c_contiguous:
        return Image.frombuffer("RGBX", (width, height), whole, "raw", "RGBX", 0, 1)
    return Image.fromarray(pixels)


def percentile(values: NDArray[np.uint8], share: float) -> int:
    """The smallest value that at least ``share`` of all are not above; by counting, since there are only 256."""
    counts = Image.fromarray(values).histogram()  # twice as fast as numpy's
    return int(np.searchsorted(np.cumsum(counts), share * values.size))
