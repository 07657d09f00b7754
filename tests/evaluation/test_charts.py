import math
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evaluation.charts import Line, chart, number, smoothed, ticks, vertical_limits, whisker
from evaluation.metric import Figure

anything = st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf])
figures = st.builds(Figure, st.just("f"), anything, anything, anything)


@given(st.lists(st.tuples(st.integers(0, 10**6), figures), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_any_figures_make_a_chart_that_stays_on_its_sheet(points: list[tuple[int, Figure]]) -> None:
    line = Line("learning", "learning", tuple(float(at) for at, _ in points), tuple(figure for _, figure in points))
    svg = ElementTree.fromstring(
        chart([line], width=400, height=200, across="step", up="log", mark=(points[0][0], "best"))
    )
    for circle in svg.iter("circle"):
        assert -1 <= float(circle.get("cx", "nan")) <= 401 and -1 <= float(circle.get("cy", "nan")) <= 201
    for polygon in svg.iter("polygon"):
        assert all(-1 <= float(y) <= 201 for y in (pair.split(",")[1] for pair in polygon.get("points", "").split()))


@given(figures)
def test_any_figure_has_a_whisker(figure: Figure) -> None:
    ElementTree.fromstring(whisker(figure, low=-1, high=1))


@example(1.0, 4005.0, 2)
@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4), st.integers(2, 12))
def test_ticks_are_round_and_within(low: float, span: float, about: int) -> None:
    made = ticks(low, low + span, about)
    assert 1 <= len(made) <= about + 2 or span / about < 1e-9
    assert all(low - span * 1e-6 - 1e-9 <= tick <= low + span * (1 + 1e-6) + 1e-9 for tick in made)


def test_a_wide_interval_does_not_press_the_curve_flat() -> None:
    low, high = vertical_limits([Line("", "", (0, 1), (Figure("a", 0.0, 0, 0), Figure("a", 0.2, -9, 9)))])
    assert high - low < 1


def test_numbers_are_written_as_people_write_them() -> None:
    assert [number(value) for value in (0, 0.05, -0.2, 100, 12345.6, math.inf)] == [
        "0",
        "0.05",
        "−0.2",
        "100",
        "12346",
        "unknown",
    ]


@pytest.mark.parametrize("most", [1, 7, 400])
def test_smoothing_keeps_the_mean_of_each_stretch(most: int) -> None:
    means = smoothed([float(at) for at in range(100)], most)
    assert len(means) <= most
    assert all(abs(value - at) <= 0.5 for at, value in means)
