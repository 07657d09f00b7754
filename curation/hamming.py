"""All pairs of 64-bit hashes that differ in a few bits: exact, in memory that does not grow with the pairs looked at.

Cut into ``radius + k`` pieces, two such hashes are equal in at least k of them. So for every choice of k pieces the
hashes are sorted by those, and the neighbours that have them in common are compared. A larger k means more sorting and
far fewer comparisons; `pieces_for` weighs the two. (Multi-index hashing after Norouzi et al., 2012, which is k = 1 with
nearby pieces looked up too, compares 25 times as much at ten million hashes.)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Pairs = NDArray[np.int64]
"""(n, 2) positions, the smaller first"""
Ints = NDArray[np.int64]

MOST_BITS = 7
"""of 64: further apart, hashes say nothing"""
SLAB = 1 << 18
"""hashes whose neighbours are compared at a time: 10 MB or so"""
SORTING, COMPARING = 4.0, 1.0
"""what sorting one hash costs beside comparing one pair, as measured"""
SAMPLE = 1 << 16
HANDFUL = 512
"""hashes that are compared with all others rather than looked up: of a quarter of a million, 1,500 take as long"""


@dataclass(frozen=True, slots=True)
class _Cut:
    """Hashes whose bits were put into another order, and where each piece of them stands."""

    hashes: Hashes
    starts: tuple[int, ...]
    sizes: tuple[int, ...]

    def key(self, pieces: tuple[int, ...]) -> NDArray[np.unsignedinteger]:
        """Some pieces of each hash side by side, in as few bytes as hold them: two bytes are sorted much faster."""
        key, width = np.zeros(len(self.hashes), np.uint64), 0
        for piece in pieces:
            key = key << np.uint64(self.sizes[piece]) | self.piece(self.hashes, piece)
            width += self.sizes[piece]
        return key.astype(np.uint16 if width <= 16 else np.uint32 if width <= 32 else np.uint64)

    def piece(self, hashes: Hashes, piece: int) -> Hashes:
        """One piece of each of ``hashes``."""
        mask = np.uint64((1 << self.sizes[piece]) - 1)
        return hashes >> np.uint64(self.starts[piece]) & mask


def pairs_within(hashes: Hashes, radius: int) -> Pairs:
    """Every pair of positions whose hashes differ in at most ``radius`` bits, sorted."""
    found = list(blocks_within(hashes, radius))
    pairs = np.concatenate(found) if found else np.empty((0, 2), np.int64)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def blocks_within(hashes: Hashes, radius: int) -> Iterator[Pairs]:
    """The same pairs, each once, some at a time and in no order."""
    assert 0 <= radius <= MOST_BITS
    if len(hashes) < 2:
        return
    num_shared = pieces_for(len(hashes), radius)
    cut = _cut(np.asarray(hashes, np.uint64), radius + num_shared)
    for last in range(num_shared - 1, radius + num_shared):
        order = np.argsort(cut.key((last,)), kind="stable")
        for earlier in combinations(range(last), num_shared - 1):
            yield from _sharing(cut, (*earlier, last), order, radius)


def pairs_across(many: Hashes, few: Hashes, radius: int) -> Pairs:
    """Every ``(i, j)``, sorted, where ``many[i]`` and ``few[j]`` differ in at most ``radius`` bits.

    For each choice of two pieces, those of the few that have them in common with one of the many are looked up; a
    handful is compared with all.
    """
    assert 0 <= radius <= MOST_BITS
    if not (len(many) and len(few)):
        return np.empty((0, 2), np.int64)
    if len(few) <= HANDFUL:  # one after the other stays in the processor's cache
        found = [np.flatnonzero(np.bitwise_count(many ^ one) <= radius) * len(few) + j for j, one in enumerate(few)]
        return _pairs(found, len(few))
    found = [np.empty(0, np.int64)]
    cut = _cut(np.concatenate((few, many)).astype(np.uint64), radius + 2)
    for pieces in combinations(range(radius + 2), 2):
        keys = cut.key(pieces)
        order = np.argsort(keys[: len(few)], kind="stable")
        ordered = keys[order]
        for start in range(len(few), len(keys), SLAB):
            first, last = _runs(ordered, keys[start : start + SLAB])
            at = np.flatnonzero(last > first)
            while len(at):
                there = order[first[at]]
                near = np.bitwise_count(cut.hashes[start + at] ^ cut.hashes[there]) <= radius
                found.append((start - len(few) + at[near]) * len(few) + there[near])
                first[at] += 1
                at = at[last[at] > first[at]]
    return _pairs(found, len(few))


def _pairs(found: list[Ints], width: int) -> Pairs:
    """Of positions in a table of such a width, row and column of each, sorted."""
    return np.stack(np.divmod(np.unique(np.concatenate(found)), width), axis=1)


def _runs(ordered: NDArray[np.unsignedinteger], asked: NDArray[np.unsignedinteger]) -> tuple[Ints, Ints]:
    """Where the run of each asked key begins and ends among ordered ones; of short ones from a table."""
    if ordered.dtype == np.uint16:
        begins = np.searchsorted(ordered, np.arange(1 << 16, dtype=np.uint16))
        return begins[asked], np.append(begins[1:], len(ordered))[asked]
    return np.searchsorted(ordered, asked), np.searchsorted(ordered, asked, side="right")


def pieces_for(count: int, radius: int) -> int:
    """How many pieces have to be equal, so that sorting and comparing together cost least."""

    def cost(shared: int) -> float:
        compared = count * 0.5 ** (1 + 64 * shared / (radius + shared))
        return float(comb(radius + shared, shared) * (SORTING + compared * COMPARING))

    return min((1, 2, 3), key=cost)


def _cut(hashes: Hashes, num_pieces: int) -> _Cut:
    """Deal the bits out so that each piece gets telling and dull ones: in pictures some bits are nearly constant."""
    sample = hashes[:: max(1, len(hashes) // SAMPLE)]
    bits = np.arange(64, dtype=np.uint64)
    ones = np.array([(sample >> bit & np.uint64(1)).mean() for bit in bits])
    order = np.argsort(np.abs(ones - 0.5), kind="stable")
    dealt = [order[piece::num_pieces] for piece in range(num_pieces)]
    sizes = tuple(len(piece) for piece in dealt)
    mixed = np.zeros_like(hashes)
    for new, old in enumerate(np.concatenate(dealt)):
        mixed |= (hashes >> np.uint64(old) & np.uint64(1)) << np.uint64(new)
    return _Cut(mixed, tuple(int(start) for start in np.cumsum((0, *sizes[:-1]))), sizes)


def _sharing(cut: _Cut, pieces: tuple[int, ...], order: Ints, radius: int) -> Iterator[Pairs]:
    """The pairs that have ``pieces`` in common and no earlier choice of pieces. ``order`` sorts by the last of them."""
    if len(pieces) > 1:
        order = order[np.argsort(cut.key(pieces[:-1])[order], kind="stable")]
    here = cut.hashes[order]
    mask = np.uint64(sum((1 << cut.sizes[piece]) - 1 << cut.starts[piece] for piece in pieces))
    others = [piece for piece in range(pieces[-1]) if piece not in pieces]
    for start in range(0, len(here), SLAB):
        some = here[start : start + SLAB + 1]
        at = start + np.flatnonzero((some[1:] ^ some[:-1]) & mask == 0)
        step = 1
        while len(at):
            differing = here[at] ^ here[at + step]
            shared = differing & mask == 0
            at, differing = at[shared], differing[shared]
            near = np.bitwise_count(differing) <= radius
            for piece in others:  # were one of those equal, an earlier choice of pieces would have told the pair
                near[near] = cut.piece(differing[near], piece) != 0
            if near.any():
                left, right = order[at[near]], order[at[near] + step]
                yield np.stack((np.minimum(left, right), np.maximum(left, right)), axis=1)
            step += 1
            at = at[at + step < len(here)]
