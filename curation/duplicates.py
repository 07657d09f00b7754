"""All near-duplicates, exactly: hashes within a few bits are candidates, their thumbnails decide.

The search is a multi-index (Norouzi et al., 2012): two hashes that differ in at most 7 bits have one of four 16-bit
chunks in which they differ in at most 1, so looking up each chunk and its 16 neighbours finds every pair.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.cache import Cache, remembered
from core.hashing import digest
from core.pixels import Read
from core.record import Record
from curation.view import VERSION, View

Hashes = NDArray[np.uint64]
Pairs = NDArray[np.int64]
"""(n, 2) positions, the smaller first"""

LOOK = np.array([[0.299, 0.587, 0.114], [-0.0844, -0.1656, 0.25], [0.25, -0.2094, -0.0407]], np.float32).T
"""RGB to luma and half the chroma, which is what saving as JPEG spoils most"""
MOST_BITS = 7
"""of 64: the largest radius that four chunks find exactly"""
BLOCK = 1 << 22
"""candidates looked at together: 100 MB or so"""


@dataclass(frozen=True, slots=True)
class Alike:
    """When two pictures count as nearly the same."""

    radius: int
    """bits in which their hashes may differ"""
    difference: float
    """share of the thumbnail's contrast that the best change of brightness and contrast does not explain"""
    mirrored: bool


def pairs_within(hashes: Hashes, radius: int) -> Pairs:
    """Every pair of positions whose hashes differ in at most ``radius`` bits, sorted."""
    assert radius <= MOST_BITS
    found = [pairs for chunk in range(4) for pairs in _pairs_by_chunk(hashes, chunk, radius)]
    if not found:
        return np.empty((0, 2), np.int64)
    pairs = np.concatenate(found)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _pairs_by_chunk(hashes: Hashes, chunk: int, radius: int) -> Iterator[Pairs]:
    """The pairs that ``chunk`` is the first to find."""
    keys = _chunk(hashes, chunk).astype(np.int64)
    order = np.argsort(keys, kind="stable")
    starts = np.searchsorted(keys[order], np.arange((1 << 16) + 1))
    sizes = np.diff(starts)
    for flip in (0, *(1 << bit for bit in range(16))):
        if flip:
            here = order[(keys[order] & flip) == 0]  # from the other side the same pairs would be found again
            first, count = starts[keys[here] ^ flip], sizes[keys[here] ^ flip]
        else:
            here = order
            first = np.arange(len(order)) + 1  # the rest of its own bucket
            count = starts[keys[here] + 1] - first
        ends = np.cumsum(count)
        begin = 0
        while begin < len(here):
            done = ends[begin - 1] if begin else 0
            end = max(begin + 1, int(np.searchsorted(ends, done + BLOCK, side="right")))
            left = np.repeat(here[begin:end], count[begin:end])
            offset = np.arange(len(left)) - np.repeat(ends[begin:end] - count[begin:end] - done, count[begin:end])
            right = order[np.repeat(first[begin:end], count[begin:end]) + offset]
            differing = hashes[left] ^ hashes[right]
            keep = np.bitwise_count(differing) <= radius
            left, right, differing = left[keep], right[keep], differing[keep]
            for earlier in range(chunk):
                new = np.bitwise_count(_chunk(differing, earlier)) > 1
                left, right, differing = left[new], right[new], differing[new]
            if len(left):
                yield np.stack((np.minimum(left, right), np.maximum(left, right)), axis=1)
            begin = end


def _chunk(hashes: Hashes, chunk: int) -> Hashes:
    return hashes >> np.uint64(16 * chunk) & np.uint64(0xFFFF)


def thumbnail_key(sha256: str, reading: str) -> str:
    """Where a picture's thumbnail is kept."""
    return digest("thumbnail", VERSION, sha256, reading)


def looks(records: Sequence[Record], read: Read, cache: Cache) -> NDArray[np.float32]:
    """(n, 32, 32, 3): thumbnails as `LOOK` sees them, each without its mean colour and of length 1.

    Ingest has made the thumbnails; one that is missing is made.
    """
    keys = [thumbnail_key(r.sha256, str(r.drawn.get("reading", ""))) for r in records]
    made = remembered(cache, keys, lambda missing: [View(read(records[at])).thumbnail for at in missing])
    seen = np.stack(made).astype(np.float32) @ LOOK
    seen -= seen.mean(axis=(1, 2), keepdims=True)
    seen /= np.maximum(np.linalg.norm(seen.reshape(len(seen), -1), axis=1), 1e-6)[:, None, None, None]
    return seen


def near_duplicates(records: Sequence[Record], alike: Alike, read: Read, cache: Cache) -> Pairs:
    """All pairs of positions that are the same file or nearly the same picture, sorted.

    Of files that are the same, each is paired with the first. A flat picture has no hash and is like nothing else.
    """
    firsts: dict[str, int] = {}
    same = []
    for at, record in enumerate(records):
        first = firsts.setdefault(record.sha256, at)
        if first != at:
            same.append((first, at))
    hashed = np.array([at for at in firsts.values() if records[at].phash], np.int64)
    pairs = [np.array(same, np.int64).reshape(-1, 2)]
    if len(hashed) > 1:
        straight = np.array([records[at].phash for at in hashed], np.uint64)
        mirrored = np.array([records[at].phash_mirrored for at in hashed], np.uint64)
        found = pairs_within(np.concatenate((straight, mirrored)) if alike.mirrored else straight, alike.radius)
        n = len(hashed)
        for turned, candidates in (
            (False, found[(found < n).all(axis=1)]),
            (True, crossing(found, n)),
        ):
            pairs.append(hashed[verified(candidates, [records[at] for at in hashed], alike, turned, read, cache)])
    whole = np.sort(np.concatenate(pairs), axis=1)
    return np.unique(whole, axis=0)


def crossing(found: Pairs, n: int) -> Pairs:
    """Of pairs among n hashes and the n of their mirror images: those of a picture with another one's mirror image."""
    across = found[(found[:, 0] < n) & (found[:, 1] >= n)] - np.array([0, n])
    return np.unique(np.sort(across[across[:, 0] != across[:, 1]], axis=1), axis=0)


def verified(
    candidates: Pairs, records: Sequence[Record], alike: Alike, turned: bool, read: Read, cache: Cache
) -> Pairs:
    """The candidates whose thumbnails look the same too."""
    kept = [candidates[:0]]
    for start in range(0, len(candidates), 1024):
        part = candidates[start : start + 1024]
        positions, inverse = np.unique(part, return_inverse=True)
        small = looks([records[at] for at in positions], read, cache)
        left, right = (small[column] for column in inverse.reshape(part.shape).T)
        if turned:
            right = right[:, :, ::-1]
        agreement = np.einsum("nhwc,nhwc->n", left, right)
        # what the best gain leaves over; a negative (agreement below 0) is another picture
        difference = np.sqrt(np.maximum(0, 1 - np.maximum(agreement, 0) ** 2))
        kept.append(part[difference <= alike.difference])
    return np.concatenate(kept)


def components(num_nodes: int, pairs: Iterable[Sequence[int]]) -> list[int]:
    """For each node the smallest node that it is connected to, over any number of steps: groups for splitting."""
    parent = list(range(num_nodes))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for left, right in pairs:
        a, b = root(left), root(right)
        parent[max(a, b)] = min(a, b)
    return [root(node) for node in range(num_nodes)]


def shadowed(ranked: Sequence[int], pairs: Pairs) -> dict[int, int]:
    """Who is left out for whom, taking the best first: node -> the kept node that it is a duplicate of.

    Unlike a component's members, each is directly a duplicate of what is kept for it: nothing is lost by chaining.
    """
    neighbours: dict[int, set[int]] = {}
    for left, right in pairs.tolist():
        neighbours.setdefault(left, set()).add(right)
        neighbours.setdefault(right, set()).add(left)
    kept_for: dict[int, int] = {}
    for node in ranked:
        if node in kept_for:
            continue
        for other in neighbours.get(node, ()):
            kept_for.setdefault(other, node)
        kept_for[node] = node
    return {node: kept for node, kept in kept_for.items() if node != kept}
