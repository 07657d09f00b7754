"""All near-duplicates, exactly: the same file; near hashes (`curation.hamming`) and thumbnails; or a CLIP, if asked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.cache import Cache, remembered
from core.hashing import digest
from core.pixels import Read
from core.record import Record
from curation.embeddings import pairs_above
from curation.hamming import MOST_BITS, Pairs, pairs_within
from curation.view import VERSION, View

__all__ = ["MOST_BITS", "Alike", "Pairs", "components", "near_duplicates", "pairs_within", "shadowed"]

Positions = NDArray[np.int64]

LOOK = np.array([[0.299, 0.587, 0.114], [-0.0844, -0.1656, 0.25], [0.25, -0.2094, -0.0407]], np.float32).T
"""RGB to luma and half the chroma, which is what saving as JPEG spoils most"""


@dataclass(frozen=True, slots=True)
class Alike:
    """When two pictures count as nearly the same."""

    radius: int
    """bits in which their hashes may differ"""
    difference: float
    """share of the thumbnail's contrast that the best change of brightness and contrast does not explain"""
    mirrored: bool
    embedding: float | None = None
    """or the cosine from which what a CLIP makes of them is the same"""
    clip: str = "pocket"
    """which CLIP"""


def check_clip_is_used(embedding: float | None, clip: str) -> None:
    """A ValueError where a CLIP is named and never asked."""
    if embedding is None and clip != "pocket":
        raise ValueError("clip: it is only used with `embedding`: give that too, such as 0.97")


def thumbnail_key(sha256: str, reading: str) -> str:
    """Where a picture's thumbnail is kept."""
    return digest("thumbnail", VERSION, sha256, reading)


def key_of(record: Record) -> str:
    """Where a record's thumbnail is kept."""
    return thumbnail_key(record.sha256, str(record.drawn.get("reading", "")))


def thumbnails(records: Sequence[Record], read: Read, cache: Cache) -> NDArray[np.uint8]:
    """(n, 32, 32, 3). Ingest has made them; one that is missing is made."""
    keys = [key_of(record) for record in records]
    made = remembered(cache, keys, lambda missing: [View(read(records[at])).thumbnail for at in missing])
    return np.stack(made).astype(np.uint8, copy=False)


def looks(records: Sequence[Record], read: Read, cache: Cache) -> NDArray[np.float32]:
    """(n, 32, 32, 3): thumbnails as `LOOK` sees them, each without its mean colour and of length 1."""
    seen = thumbnails(records, read, cache).astype(np.float32) @ LOOK
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
    if alike.embedding is not None and len(firsts) > 1:
        pairs.append(seen_alike(np.array(list(firsts.values()), np.int64), records, alike, read, cache))
    whole = np.sort(np.concatenate(pairs), axis=1)
    return np.unique(whole, axis=0)


def seen_alike(positions: Positions, records: Sequence[Record], alike: Alike, read: Read, cache: Cache) -> Pairs:
    """The pairs that a CLIP sees as the same, without mirror images (which it hardly tells apart) unless asked for."""
    from backbones.embedding import Embedder

    assert alike.embedding is not None
    vectors = Embedder.named(alike.clip, cache).pictures([records[at] for at in positions.tolist()], read)
    pairs: Pairs = positions[pairs_above(vectors, alike.embedding)]
    if alike.mirrored:
        return pairs
    straight, mirrored = (
        np.array([getattr(records[at], hashed) for at in pairs.ravel().tolist()], np.uint64).reshape(pairs.shape)
        for hashed in ("phash", "phash_mirrored")
    )
    apart = np.bitwise_count(straight[:, 0] ^ straight[:, 1])
    turned = np.bitwise_count(straight[:, 0] ^ mirrored[:, 1])
    same: Pairs = pairs[~((turned <= alike.radius) & (turned < apart))]
    return same


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
