"""Distances between pictures, in pixels and to CLIP's eye, and to the nearest one of several groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.pixels import Pixels

Floats = NDArray[np.float64]


def thumbnails(pictures: Sequence[Pixels], side: int) -> NDArray[np.uint8]:
    """(n, side * side * 3): pictures squeezed to a square, so that any two can be compared pixel by pixel."""
    from PIL import Image

    small = [Image.fromarray(one).resize((side, side), Image.Resampling.BOX, reducing_gap=2) for one in pictures]
    return (
        np.stack([np.asarray(one).reshape(-1) for one in small]) if small else np.zeros((0, side * side * 3), np.uint8)
    )


def pixel_distances(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Floats:
    """(n, m) distance of `thumbnails` whatever their brightness and contrast: 0 the same, 1.41 unrelated, 2 inverted.

    The distance between unit vectors, sqrt(2 - 2 r) with r the correlation of the pixels, each channel's mean taken
    out. The plain difference of pixels would call every pale and blurred picture near to all others.
    """
    a, b = shapes(first), shapes(second)
    result: Floats = np.sqrt(np.maximum(2 - 2 * (a @ b.T), 0))
    return result


def shapes(flat: NDArray[np.uint8]) -> Floats:
    """(n, side * side * 3) as unit vectors without each channel's mean; zeros where a picture is of one colour."""
    pixels = flat.reshape(len(flat), -1, 3).astype(np.float64)
    centred = (pixels - pixels.mean(1, keepdims=True)).reshape(len(flat), -1)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    result: Floats = np.where(length > 1e-6, centred / np.maximum(length, 1e-6), 0)
    return result


def clip_distances(first: NDArray[np.floating], second: NDArray[np.floating]) -> Floats:
    """(n, m) one minus the cosine of unit vectors."""
    return np.maximum(1 - first.astype(np.float64) @ second.astype(np.float64).T, 0.0)


def to_groups(distances: Floats, groups: Sequence[str]) -> Floats:
    """(n, m) to (n, groups): the distance to each group's nearest member, groups sorted by name."""
    names = np.asarray(groups)
    return np.stack([distances[:, names == name].min(1) for name in sorted(set(groups))], 1)


def among(distances: Floats, groups: Sequence[str]) -> Floats:
    """(n, n) to (n,): each picture's distance to the nearest one of another group."""
    names = np.asarray(groups)
    result: Floats = np.where(names[:, None] == names[None, :], np.inf, distances).min(1)
    return result


def expected_nearest(distances: Floats, drawn: int) -> Floats:
    """(n, groups) to (n,): the distance to the nearest of ``drawn`` groups, on average over all ways to draw them.

    The more pictures there are, the nearer the nearest: sets of different sizes are compared at the smaller one's
    size. The i-th nearest of N is the nearest of those drawn with probability C(N - i, drawn - 1) / C(N, drawn).
    """
    count = distances.shape[1]
    assert 1 <= drawn <= count, f"cannot draw {drawn} of {count}"
    chance = np.zeros(count)
    chance[0] = drawn / count
    for i in range(1, count - drawn + 1):
        chance[i] = chance[i - 1] * (count - i - drawn + 1) / (count - i)
    result: Floats = np.sort(distances, 1) @ chance
    return result
