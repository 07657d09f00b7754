"""Pictures that were cut out of others by a little: the leak that a hash of the whole picture does not see.

Cutting 5 % off each side turns 13 of a hash's 64 bits (the median of photographs). So a picture is also hashed as it
would be with some of each side cut off, in `CUTS` at each of the four, all from its thumbnail; one of those 255 hashes
is within a few bits of the hash of whatever was cut out of it. What is found so is compared: the cut is fitted to the
other thumbnail, both a little blurred, and what a change of brightness and contrast does not explain is the difference.

Measured on 17 photographs, 52 quarters of them, 60 clouds and 700 drawings, up to 10 % cut off each side at chance,
saved as JPEG: 88, 89, 100 and 99 % are found; one in 17 of the photographs is too flat to have a hash. Among the
drawings themselves it finds 33 pairs: faces whose eyes or mouths differ.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from core.cache import Cache, remembered
from core.hashing import digest
from core.pixels import Read
from core.record import Record
from curation.duplicates import LOOK, key_of, thumbnails
from curation.hamming import Hashes, Pairs, pairs_across
from curation.perceptual import COSINES, packed_rows
from curation.splits import Split
from curation.view import THUMBNAIL

VERSION = 1
"""Raise it when the same thumbnails begin to give other hashes."""
CUTS = (0.0, 0.04, 0.08, 0.12)
"""shares of the width or height that are cut off at one side"""
SPANS = tuple(product(CUTS, CUTS))
"""what is cut off an axis: at its beginning and at its end"""
DEEPEST = 0.2
"""a fitted cut's most"""
STEPS = (0.02, 0.01, 0.005)
"""by which a cut is fitted, the coarsest first"""
FITTED = 3
"""of a pair's hashes that are near, so many are looked at: the nearest"""
HOPELESS = 0.5
"""difference before fitting from which a pair is not fitted: of true pairs none had more"""
BLOCK = 1024
"""pictures whose cut hashes are made and searched at a time: 2 MB of them"""

MARK = "crops"
"""in what a record has drawn: that it was compared, and as which pixels"""

Look = NDArray[np.float32]
Cut = tuple[float, float, float, float]
"""shares cut off: left, right, top, bottom"""


def mark_of(record: Record, split: str) -> str:
    """What a record is marked with once it was compared with all others and they were grouped, under a split's key."""
    return digest("crops", VERSION, record.pixels_key, split)


def crops(records: Sequence[Record], split: Split, read: Read, cache: Cache) -> Pairs:
    """Pairs of positions of which one is cut out of the other, or out of its mirror image; sorted.

    Two that both bear their mark have been compared before, and are not again: groups are remembered.
    """
    key = split.key
    new = np.array([record.drawn.get(MARK) != mark_of(record, key) for record in records], bool)
    hashed = np.array([at for at, record in enumerate(records) if record.phash], np.int64)
    fresh = hashed[new[hashed]]
    if not len(fresh) or len(hashed) < 2:
        return np.empty((0, 2), np.int64)
    shown = _Thumbnails(records, read, cache)
    found = []
    for start in range(0, len(hashed), BLOCK):
        some = hashed[start : start + BLOCK]
        cut = shown.hashes(some)
        is_new = new[some]
        for wholes, rows in ((hashed, np.flatnonzero(is_new)), (fresh, np.flatnonzero(~is_new))):
            found += _near(records, some[rows], cut[rows], wholes, split.radius)
    shown.see(at for whole, part, _, _ in found for at in (whole, part))
    pairs: set[tuple[int, int]] = set()
    for whole, part, candidates, mirrored in found:
        pair = (min(whole, part), max(whole, part))
        if pair not in pairs and shown.fit(whole, part, candidates, mirrored) <= split.difference:
            pairs.add(pair)
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)


Found = tuple[int, int, list[int], bool]
"""a picture, what may be cut out of it, by which cuts (nearest first), and whether mirrored"""


def _near(
    records: Sequence[Record], positions: NDArray[np.int64], cut: Hashes, wholes: NDArray[np.int64], radius: int
) -> list[Found]:
    """Those of ``wholes`` whose hash is near to one of the ``cut`` hashes (n, 255) of those at ``positions``."""
    if not len(positions):
        return []
    straight = [records[at].phash for at in wholes.tolist()]
    mirrored = [records[at].phash_mirrored for at in wholes.tolist()]
    few = np.array(straight + mirrored, np.uint64)
    near = pairs_across(cut.ravel(), few, radius)
    bits = np.bitwise_count(cut.ravel()[near[:, 0]] ^ few[near[:, 1]])
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for (at, j), distance in zip(near.tolist(), bits.tolist(), strict=True):
        row, which = divmod(at, cut.shape[1])
        if cut[row, which] and positions[row] != wholes[j % len(wholes)]:
            found.setdefault((int(positions[row]), j), []).append((distance, which + 1))
    return [
        (whole, int(wholes[j % len(wholes)]), [which for _, which in sorted(those)[:FITTED]], j >= len(wholes))
        for (whole, j), those in found.items()
        if records[whole].sha256 != records[wholes[j % len(wholes)]].sha256
    ]


class _Thumbnails:
    """Thumbnails of some records, as they are hashed and as they are compared."""

    def __init__(self, records: Sequence[Record], read: Read, cache: Cache) -> None:
        self._records, self._read, self._cache = records, read, cache
        self._looks: dict[int, Look] = {}

    def hashes(self, positions: NDArray[np.int64]) -> Hashes:
        """(n, 255): each with every cut but none."""
        keys = [digest("cut hashes", VERSION, list(CUTS), key_of(self._records[at])) for at in positions.tolist()]

        def make(missing: list[int]) -> list[NDArray[np.uint64]]:
            return list(cut_hashes(self._some(positions[missing].tolist())))

        return np.stack(remembered(self._cache, keys, make, batch=256))

    def fit(self, whole: int, part: int, candidates: list[int], mirrored: bool) -> float:
        """The difference that is left when the best of some cuts of one picture is fitted to another."""
        look, other = self._looks[whole], self._looks[part]
        target = blurred(other[:, ::-1] if mirrored else other)
        target = target - target.mean(axis=(0, 1))
        target /= max(float(np.linalg.norm(target)), 1e-6)

        def left_over(cut: Cut) -> float:
            there = blurred(cut_look(look, cut))
            varies = cv2.norm(there, cv2.NORM_L2SQR) - THUMBNAIL**2 * sum(m * m for m in cv2.mean(there))
            agreement = max(0.0, float(np.vdot(there, target)))  # the target's mean is 0, so its own does not matter
            return float(np.sqrt(max(0.0, 1 - agreement**2 / max(varies, 1e-6))))

        best, cut = min((left_over(cut), cut) for cut in (cut_of(which) for which in candidates))
        return best if best > HOPELESS else fitted(left_over, best, cut)

    def see(self, positions: Iterable[int]) -> None:
        """Get ready to fit pictures."""
        lacking = sorted(set(positions) - self._looks.keys())
        for start in range(0, len(lacking), BLOCK):
            some = lacking[start : start + BLOCK]
            for at, thumbnail in zip(some, self._some(some), strict=True):
                self._looks[at] = thumbnail.astype(np.float32) @ LOOK

    def _some(self, positions: Sequence[int]) -> NDArray[np.uint8]:
        return thumbnails([self._records[at] for at in positions], self._read, self._cache)


def cut_of(which: int) -> Cut:
    """Which cut the hash at ``which`` stands for, as `cut_hashes` orders them, counted from that of no cut."""
    (top, bottom), (left, right) = SPANS[which // len(SPANS)], SPANS[which % len(SPANS)]
    return left, right, top, bottom


def cut_hashes(thumbnails: NDArray[np.uint8]) -> Hashes:
    """(n, 255) of (n, 32, 32, 3): `perceptual.hashes` of each with every cut but none; 0 where that leaves a flat part.

    Cutting, resizing and the cosine transform are all linear, so that one matrix does them for each axis.
    """
    luma = thumbnails @ np.array((0.299, 0.587, 0.114))
    axis = np.concatenate([COSINES @ stretch(*span) for span in SPANS])  # 8 rows for each span
    low = (axis @ luma @ axis.T).reshape(len(luma), len(SPANS), 8, len(SPANS), 8).swapaxes(2, 3)
    return packed_rows(low.reshape(len(luma), -1, 8, 8)[:, 1:])


def stretch(before: float, after: float) -> NDArray[np.float64]:
    """(32, 32): takes 32 values to the 32 of their part without ``before`` and ``after``, linearly between centres."""
    size = THUMBNAIL
    centres = (before + (np.arange(size) + 0.5) / size * (1 - before - after)) * size - 0.5
    centres = np.clip(centres, 0, size - 1)
    low = np.minimum(centres.astype(int), size - 2)
    table = np.zeros((size, size))
    table[np.arange(size), low] = 1 - (centres - low)
    table[np.arange(size), low + 1] += centres - low
    return table


def cut_look(look: Look, cut: Cut) -> Look:
    """(32, 32, 3): the part that is left, stretched to the whole."""
    left, right, top, bottom = cut
    across, down = 1 - left - right, 1 - top - bottom
    move = np.array(
        (
            (across, 0, left * THUMBNAIL + (across - 1) / 2),
            (0, down, top * THUMBNAIL + (down - 1) / 2),
        )
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen: Look = cv2.warpAffine(look, move, (THUMBNAIL, THUMBNAIL), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return seen


def blurred(look: Look) -> Look:
    """By one pixel: a part of a thumbnail is less sharp than the thumbnail of a part, and this makes up for it."""
    seen: Look = cv2.GaussianBlur(look, (0, 0), 1.0, borderType=cv2.BORDER_REPLICATE)
    return seen


def fitted(left_over: Callable[[Cut], float], best: float, cut: Cut) -> float:
    """What is left when each side of the cut is moved as long as that lessens it."""
    for step in STEPS:
        while True:
            moved = []
            for side, by in product(range(4), (-step, step)):
                other = list(cut)
                other[side] = min(max(other[side] + by, 0.0), DEEPEST)
                moved.append((left_over((other[0], other[1], other[2], other[3])), tuple(other)))
            least, where = min(moved)
            if least >= best:
                break
            best, cut = least, (where[0], where[1], where[2], where[3])
    return best
