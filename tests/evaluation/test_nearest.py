from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from evaluation.nearest import among, clip_distances, expected_nearest, pixel_distances, thumbnails, to_groups


@given(st.lists(st.floats(0, 9), min_size=1, max_size=7), st.data())
def test_the_expected_nearest_is_the_mean_over_all_ways_to_draw(distances: list[float], data: st.DataObject) -> None:
    drawn = data.draw(st.integers(1, len(distances)))
    every = np.mean([min(some) for some in combinations(distances, drawn)])
    assert expected_nearest(np.array([distances]), drawn)[0] == pytest.approx(every)


def test_distances_are_those_that_one_would_write_down() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (3, 48), np.uint8), rng.integers(0, 256, (4, 48), np.uint8)

    def unit_of(flat: NDArray[np.uint8]) -> NDArray[np.float64]:
        channels = flat.reshape(-1, 3) - flat.reshape(-1, 3).mean(0)
        return (channels / np.sqrt((channels**2).sum())).ravel()

    plain = [[np.sqrt(((unit_of(one) - unit_of(other)) ** 2).sum()) for other in b] for one in a]
    np.testing.assert_allclose(pixel_distances(a, b), plain)
    assert pixel_distances(a, a).diagonal().max() < 1e-6
    unit = np.eye(3, dtype=np.float32)
    np.testing.assert_allclose(clip_distances(unit, unit), 1 - np.eye(3))


def test_a_pale_blur_is_near_to_nothing_and_a_pale_copy_is_near_to_what_it_copies() -> None:
    rng = np.random.default_rng(0)
    sharp = rng.integers(0, 2, (5, 300), np.uint8) * 255
    pale = (128 + (sharp[:1].astype(float) - 128) * 0.2).astype(np.uint8)
    blur = (128 + rng.normal(0, 3, (1, 300))).astype(np.uint8)
    assert pixel_distances(pale, sharp)[0].argmin() == 0
    assert pixel_distances(pale, sharp)[0, 0] < 0.05
    assert pixel_distances(blur, sharp).min() > 1
    assert pixel_distances(np.full((1, 300), 7, np.uint8), sharp).min() == pytest.approx(2**0.5)


def test_a_group_is_as_near_as_its_nearest_member_and_nothing_to_itself() -> None:
    distances = np.array([[0.0, 1, 5], [1, 0, 4], [5, 4, 0]])
    np.testing.assert_array_equal(to_groups(distances, ["b", "b", "a"]), [[5, 0], [4, 0], [0, 4]])
    np.testing.assert_array_equal(among(distances, ["b", "b", "a"]), [5, 4, 4])


def test_thumbnails_of_small_pictures_are_the_pictures() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    np.testing.assert_array_equal(thumbnails([picture], 16)[0], picture.reshape(-1))
