"""Whether captions belong to their pictures: the arithmetic, and OpenMoji's own names through the packaged CLIP."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbones.clip import Clip
from captioning import belonging
from captioning.belonging import LEAST, SURE, agreement, mixed_up, ranks
from scripts.demo import PICTURES, opened


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@given(st.integers(LEAST, 60), st.integers(0, 1000), st.integers(1, 7), st.integers(3, 100))
def test_ranks_are_those_of_a_sorted_list_however_they_are_computed(
    count: int, seed: int, block: int, most: int
) -> None:
    rng = np.random.default_rng(seed)
    pictures, captions = unit(rng.normal(size=(count, 8))), unit(rng.normal(size=(count, 8)))
    texts = [f"caption {at}" for at in range(count)]
    fit = pictures.astype(np.float64) @ captions.T.astype(np.float64)
    fit -= fit.mean(0)
    expected = [(np.delete(row, at) < row[at] - 1e-6).mean() for at, row in enumerate(fit)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(belonging, "BLOCK", block)
        np.testing.assert_allclose(ranks(pictures, captions, texts), expected, atol=1e-6)
        patch.setattr(belonging, "MOST", most)
        found = ranks(pictures, captions, texts)
    assert found.shape == (count,) and (found >= 0).all() and (found <= 1).all()


def test_equal_captions_are_one_and_too_few_different_ones_say_nothing() -> None:
    rows = unit(np.random.default_rng(0).normal(size=(2 * LEAST, 8)))
    texts = [f"caption {at // 2}" for at in range(2 * LEAST)]
    assert (ranks(rows, np.repeat(rows[::2], 2, axis=0), texts)[::2] == 1).all()
    assert math.isnan(agreement(rows, rows, ["the same"] * len(rows)))
    assert not mixed_up(rows, rows, texts[: len(rows)][: LEAST // 2] * 4)


@given(st.integers(LEAST, 200), st.integers(0, 10**6))
def test_by_chance_agreement_is_about_normal_and_that_of_equal_vectors_is_sure(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = unit(rng.normal(size=(count, 16))), unit(rng.normal(size=(count, 16)))
    texts = [f"caption {at}" for at in range(count)]
    assert abs(agreement(one, other, texts)) < 6
    assert agreement(one, one, texts) > SURE


def test_right_names_are_told_from_those_of_other_pictures() -> None:
    """Of twenty drawings in a style that this CLIP has never seen."""
    clip, names = Clip.open("pocket"), list(PICTURES)[:20]
    pictures = clip.embed_pictures([np.asarray(opened(PICTURES[name]).convert("RGB")) for name in names])
    texts = [f"an emoji of {name.replace('-', ' ')}" for name in names]
    vectors = clip.embed_texts(texts)
    assert not mixed_up(pictures, vectors, texts)
    assert "mixed up" in mixed_up(pictures, np.roll(vectors, 1, axis=0), texts[-1:] + texts[:-1])
