from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.nearest import among, clip_distances, expected_nearest, pixel_distances, thumbnails, to_groups


@given(st.lists(st.floats(0, 9), min_size=1, max_size=7), st.data())
def test_the_expected_nearest_is_the_mean_over_all_ways_to_draw(distances: list[float], data: st.DataObject) -> None:
    drawn = data.draw(st.integers(1, len(distances)))
    every = np.mean([min(some) for some in combinations(distances, drawn)])
    assert expected_nearest(np.array([distances]), drawn)[0] == pytest.approx(every)


def test_distances_are_those_that_one_would_write_down() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (3, 48), np.uint8), rng.integers(0, 256, (4, 48), np.uint8)
    plain = np.sqrt((((a[:, None].astype(float) - b[None]) / 255) ** 2).mean(-1))
    np.testing.assert_allclose(pixel_distances(a, b), plain)
    assert pixel_distances(a, a).diagonal().max() < 1e-6
    unit = np.eye(3, dtype=np.float32)
    np.testing.assert_allclose(clip_distances(unit, unit), 1 - np.eye(3))


def test_a_group_is_as_near_as_its_nearest_member_and_nothing_to_itself() -> None:
    distances = np.array([[0.0, 1, 5], [1, 0, 4], [5, 4, 0]])
    np.testing.assert_array_equal(to_groups(distances, ["b", "b", "a"]), [[5, 0], [4, 0], [0, 4]])
    np.testing.assert_array_equal(among(distances, ["b", "b", "a"]), [5, 4, 4])


def test_thumbnails_of_small_pictures_are_the_pictures() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    np.testing.assert_array_equal(thumbnails([picture], 16)[0], picture.reshape(-1))
