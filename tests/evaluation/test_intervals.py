import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.intervals import deviations, group_means, interval, wilson


@pytest.mark.parametrize("count", [5, 8, 20])
def test_a_95_percent_interval_over_few_groups_holds_the_truth_95_times_in_100(count: int) -> None:
    rng = np.random.default_rng(count)
    held = 0
    for run in range(400):
        means = rng.normal(size=(count, 1))
        low, high = interval(float(means.mean()), deviations(means, run, draws=500)[:, 0])
        held += low <= 0 <= high
    assert 0.92 <= held / 400 <= 0.99


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=8), st.lists(st.integers(1, 5), min_size=2, max_size=8))
@settings(max_examples=30, deadline=None)
def test_copies_of_a_picture_change_neither_estimate_nor_interval(values: list[float], copies: list[int]) -> None:
    pairs = list(zip(values, copies, strict=False))
    once = group_means(np.array([[value] for value, _ in pairs]), [f"{at:02}" for at in range(len(pairs))])
    many = group_means(
        np.array([[value] for value, times in pairs for _ in range(times)]),
        [f"{at:02}" for at, (_, times) in enumerate(pairs) for _ in range(times)],
    )
    np.testing.assert_allclose(many, once)
    np.testing.assert_allclose(deviations(many, "x"), deviations(once, "x"), atol=1e-9)


def test_the_order_of_the_pictures_does_not_matter() -> None:
    values, groups = np.arange(6.0)[:, None], ["b", "a", "c", "a", "b", "d"]
    turned = [5, 3, 1, 0, 2, 4]
    np.testing.assert_array_equal(
        group_means(values, groups), group_means(values[turned], [groups[at] for at in turned])
    )


def test_one_group_is_infinitely_unsure() -> None:
    assert interval(0.3, deviations(np.array([[0.3]]))[:, 0]) == (-np.inf, np.inf)


def test_a_share_stays_between_none_and_all() -> None:
    assert wilson(0, 8) == (0.0, pytest.approx(0.324, abs=1e-3))
    assert wilson(8, 8) == (pytest.approx(0.676, abs=1e-3), 1.0)
    assert wilson(5, 50) == (pytest.approx(0.0435, abs=1e-3), pytest.approx(0.2136, abs=1e-3))
