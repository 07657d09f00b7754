import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.hamming import MOST_BITS, blocks_within, pairs_across, pairs_within


def brute_force(values: np.ndarray, radius: int) -> list[list[int]]:
    return [
        [a, b]
        for a in range(len(values))
        for b in range(a + 1, len(values))
        if int(values[a] ^ values[b]).bit_count() <= radius
    ]


def crowd(rng: np.random.Generator, count: int) -> np.ndarray:
    """Hashes near to a few others, in all numbers of bits."""
    values = rng.integers(0, 2**64, count, np.uint64)
    values = values[rng.integers(0, min(count, 4), count)]
    for at in range(count):
        for bit in rng.choice(64, rng.integers(0, 10), replace=False):
            values[at] ^= np.uint64(1) << np.uint64(bit)
    return values


@given(st.integers(0, 2**32), st.integers(0, 60), st.integers(0, MOST_BITS), st.integers(1, 3), st.booleans())
def test_all_pairs_within_a_radius_are_found_once_and_no_others(
    seed: int, count: int, radius: int, shared: int, crowded: bool
) -> None:
    rng = np.random.default_rng(seed)
    values = crowd(rng, count) if crowded and count else rng.integers(0, 2**64, count, np.uint64)
    with pytest.MonkeyPatch.context() as patch:  # few hashes would always be cut in one way
        patch.setattr("curation.hamming.pieces_for", lambda count, radius: shared)
        assert pairs_within(values, radius).tolist() == brute_force(values, radius)


def test_thousands_of_hashes_with_dull_bits_are_searched_exactly() -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(0, 2**64, 3000, np.uint64) & np.uint64(0x00FF_00FF_0000_FFFF)  # as symmetric drawings have
    assert pairs_within(values, 6).tolist() == brute_force_fast(values, 6)


def brute_force_fast(values: np.ndarray, radius: int) -> list[list[int]]:
    near = np.bitwise_count(values[:, None] ^ values[None]) <= radius
    return np.argwhere(np.triu(near, 1)).tolist()


def test_many_equal_hashes_are_told_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curation.hamming.SLAB", 16)
    values = np.repeat(np.array([1, 2, 1 << 40], np.uint64), 20)
    blocks = list(blocks_within(values, 2))
    assert len(blocks) > 3 and max(map(len, blocks)) <= 16
    assert pairs_within(values, 2).tolist() == brute_force(values, 2)


@given(
    st.integers(0, 2**32), st.integers(0, 80), st.integers(0, 30), st.integers(0, MOST_BITS), st.sampled_from([0, 24])
)
def test_all_pairs_across_two_sets_are_found_once_and_no_others(
    seed: int, many: int, few: int, radius: int, handful: int
) -> None:
    values = crowd(np.random.default_rng(seed), many + few) if many + few else np.empty(0, np.uint64)
    left, right = values[:many], values[many:]
    near = np.bitwise_count(left[:, None] ^ right[None]) <= radius
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("curation.hamming.SLAB", 16)
        patch.setattr("curation.hamming.HANDFUL", handful)
        assert pairs_across(left, right, radius).tolist() == np.argwhere(near).tolist()
