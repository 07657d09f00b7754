"""One decoded picture as the checks see it: its pixels, and the reduced copies that several of them share."""

from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.pixels import Pixels
from curation.decode import Mask

SMALL = 256
"""pixels: the reduced copy's shorter side is at least this (or the picture's own) and less than twice this"""
VERSION = 2
"""Raise it when the same pixels begin to give other copies."""
THUMBNAIL = 32


class View:
    """Made once for each picture; a reduced copy is made when the first check asks for it."""

    def __init__(self, pixels: Pixels, alpha: Mask | None = None) -> None:
        self.pixels = pixels
        self.alpha = alpha

    @cached_property
    def _small(self) -> Image.Image:
        return Image.fromarray(self.small)

    @cached_property
    def small(self) -> Pixels:
        """The picture halved, each pixel the mean of four, until its shorter side is below twice `SMALL`."""
        pixels = whole_of(self.pixels)
        while min(pixels.shape[:2]) >= 2 * SMALL:
            height, width = (side // 2 for side in pixels.shape[:2])  # an odd last line is left out
            even = pixels[: 2 * height, : 2 * width]
            pixels = cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)
        return cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB) if pixels.shape[-1] == 4 else pixels

    @cached_property
    def channels(self) -> tuple[NDArray[np.uint8], ...]:
        """`small` as a plane for each colour."""
        return tuple(np.asarray(plane) for plane in self._small.split())

    @cached_property
    def medians(self) -> tuple[int, ...]:
        """The middle level of each of `channels`."""
        counts = np.array(self._small.histogram()).reshape(3, 256)
        return tuple(level_of(one, 0.5) for one in counts)

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


def whole_of(pixels: Pixels) -> NDArray[np.uint8]:
    """The picture with the fourth byte of each pixel where `decode` has put one: else it would have to be copied."""
    height, width = pixels.shape[:2]
    memory, size = pixels.base, 4 * height * width
    if pixels.strides != (4 * width, 4, 1) or not isinstance(memory, np.ndarray) or memory.nbytes < size:
        return pixels
    if memory.ctypes.data != pixels.ctypes.data:  # it begins somewhere within
        return pixels
    return memory.reshape(-1)[:size].reshape(height, width, 4)


def shorter_side(side: int) -> int:
    """What the shorter side of a picture has in the reduced copy."""
    while side >= 2 * SMALL:
        side //= 2
    return side


def percentile(values: NDArray[np.uint8], share: float) -> int:
    """The smallest value that at least ``share`` of all are not above; by counting, since there are only 256."""
    return level_of(np.array(Image.fromarray(values).histogram()), share)  # twice as fast as numpy's


def level_of(counts: NDArray[np.int64], share: float) -> int:
    """The smallest level that at least ``share`` of all values are not above, by how many have each."""
    total = np.cumsum(counts)
    return int(np.searchsorted(total, share * total[-1]))
