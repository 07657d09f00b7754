import json
from collections.abc import Sequence

import numpy as np
import pytest

from evaluation.findings import Thresholds, copies_in_doubt
from evaluation.metric import Figure, Measured
from evaluation.metrics.probe import Probe, ProbeResult, Side
from evaluation.verdict import best_step, judge


def result(learning: float, gap: float, *, spread: float = 0.02, count: int = 10, held_out: int = 0) -> ProbeResult:
    """A probe of ``count`` pictures a side, each a little off the mean (the same ones by the same amount)."""
    held_out = held_out or count
    own = np.random.default_rng(1).normal(0, spread, held_out + count)
    rho = np.concatenate([np.full(held_out, -learning), np.full(count, -learning - gap)]) + own
    side: list[Side] = ["held_out"] * held_out + ["train"] * count
    return Probe(timesteps=(500,)).compare(
        np.ones((len(rho), 1)), np.exp(rho)[:, None], [str(at) for at in range(len(rho))], side
    )


def copies(rate: float, low: float, chance: float = 0.03) -> Measured:
    return Measured(
        (
            Figure("copy_rate", rate, low, 1.0),
            Figure("copy_chance", chance),
            Figure("c_t_pixel", -5.0),
            Figure("pull_pixel", 0.2, 0.1, 0.3),
        )
    )


def drift(relative: float) -> Measured:
    return Measured(
        tuple(Figure(name, relative, 0.9 * relative, 1.1 * relative) for name in ("relative", "drift", "rho"))
    )


NOTHING = result(0, 0, spread=0)


@pytest.mark.parametrize(
    ("state", "curve"),
    [
        ("healthy", {0: NOTHING, 50: result(0.1, 0.0), 100: result(0.2, 0.05)}),
        ("underfit", {0: NOTHING, 100: result(0.0, 0.0, spread=0.005)}),
        ("overfit", {0: NOTHING, 50: result(0.1, 0.1), 100: result(-0.3, 0.8)}),
        ("overfit", {0: NOTHING, 50: result(0.3, 0.1), 100: result(0.15, 0.25)}),
        ("overfit", {0: NOTHING, 100: result(0.3, 0.6)}),
        ("not enough evidence", {0: NOTHING, 100: result(0.02, 0.0, spread=0.3)}),
        ("not enough evidence", {100: result(0.3, 0.0, held_out=2)}),
    ],
)
def test_each_state_is_recognised(state: str, curve: dict[int, ProbeResult]) -> None:
    verdict = judge(curve)
    assert verdict.state == state
    assert verdict.words.endswith((".", ")")) and verdict.remedy
    assert verdict.step == 100


def test_copies_are_graver_than_a_gap_and_a_gap_than_drift() -> None:
    verdict = judge({0: NOTHING, 100: result(-0.2, 0.9)}, copies(0.8, 0.5), drift(2.0))
    assert [finding.state for finding in verdict.findings] == ["memorised", "overfit", "drifted"]
    assert "80 %" in verdict.words


def test_what_may_be_chance_is_not_held_against_a_run() -> None:
    assert judge({0: NOTHING, 100: result(0.2, 0.05)}, copies(0.08, 0.02), drift(0.48)).state == "healthy"
    assert judge({0: NOTHING, 100: result(0.2, 0.05)}, copies(0.15, 0.05, chance=0.06)).state == "healthy"
    assert judge({0: NOTHING, 100: result(0.2, 0.05)}, copies(0.3, 0.15)).state == "memorised"


def test_more_copies_than_may_be_but_not_surely_leave_it_open() -> None:
    open_to_doubt = [copies(0.125, 0.02), copies(0.3, 0.15, chance=0.06)]
    for found in open_to_doubt:
        verdict = judge({0: NOTHING, 100: result(0.2, 0.05)}, found)
        assert verdict.state == "not enough evidence" and "may give training pictures back" in verdict.words
    graver = judge({0: NOTHING, 100: result(-0.2, 0.9)}, copies(0.125, 0.02))
    assert [finding.state for finding in graver.findings] == ["overfit", "not enough evidence"]


@pytest.mark.parametrize(
    ("rate", "low", "chance", "doubt"),
    [
        (0.125, 0.02, 0.03, True),
        (0.167, 0.05, 0.067, True),  # 2 of 12 with fourteen pictures: below the line of .2, which more may cross
        (0.083, 0.01, 0.067, False),  # 1 of 12 is what chance gives
        (0.0, 0.0, 0.03, False),
        (0.8, 0.5, 0.03, False),  # sure already
    ],
)
def test_more_samples_are_asked_for_where_they_may_decide(rate: float, low: float, chance: float, doubt: bool) -> None:
    assert copies_in_doubt(copies(rate, low, chance)) == doubt


def test_drift_alone_is_said_of_a_run_that_has_learned() -> None:
    assert judge({0: NOTHING, 100: result(0.2, 0.05)}, copies(0, 0), drift(1.9)).state == "drifted"


def test_some_drift_is_told_and_not_held_against_a_run() -> None:
    run = {0: NOTHING, 100: result(0.2, 0.05)}
    some, none = (judge(run, copies(0, 0), drift(relative)) for relative in (0.4, 0.1))
    assert some.state == none.state == "healthy"
    assert "somewhat changed" in some.words and "somewhat changed" not in none.words


def test_a_gap_counts_where_the_estimate_is_beyond_the_line_and_surely_beyond_half_of_it() -> None:
    """Six pictures with a gap of .45 are no proof of .3, and still not healthy."""
    few = {100: result(0.2, 0.45, spread=0.2, count=6)}
    assert 0.15 < few[100].gap.low < 0.3 and judge(few).state == "overfit"
    vague = judge({100: result(0.2, 0.35, spread=0.3, count=6)})
    assert vague.findings[0].figures[1].low < 0.15 and vague.state == "not enough evidence"
    assert "by heart" in vague.words and "It has learned, too" not in vague.words


def test_a_wide_gap_that_is_not_sure_is_no_usual_one() -> None:
    """It was called healthy, with a gap "as is usual"; truly it was .34."""
    verdict = judge({100: result(0.25, 0.32, spread=0.2, count=6)})
    assert verdict.state == "not enough evidence" and verdict.findings[0].figures[1].low > 0
    assert "usual" not in verdict.words and "It has learned, too" in verdict.words


def test_harm_to_both_sides_is_blamed_on_the_learning_rate() -> None:
    verdict = judge({0: NOTHING, 100: result(-0.5, 0.0)})
    assert verdict.state == "underfit" and "harmed" in verdict.words and "learning rate" in verdict.remedy


def test_the_best_step_is_the_one_with_most_learning() -> None:
    curve = {0: NOTHING, 50: result(0.1, 0), 100: result(0.2, 0.1), 150: result(0.1, 0.4)}
    assert best_step(curve) == 100


def test_of_steps_that_tie_the_earlier_one_is_kept() -> None:
    noisy = result(0.2, 0.0)
    off = np.random.default_rng(5).normal(0, 0.03, 10)
    later = Probe(timesteps=(500,)).compare(
        np.ones((20, 1)), np.exp(noisy.rho - 0.005 + np.concatenate([off, off]))[:, None], noisy.groups, noisy.side
    )
    curve = {0: NOTHING, 50: noisy, 100: later}
    assert later.learning.value > noisy.learning.value
    assert best_step(curve) == 50


def test_steps_are_compared_picture_by_picture() -> None:
    """Separate intervals overlap widely; but every single picture is better at the later step."""
    curve = {0: NOTHING, 50: result(0.2, 0.0, spread=0.2), 100: result(0.215, 0.0, spread=0.2)}
    assert curve[50].learning.high > curve[100].learning.value
    assert best_step(curve) == 100


def test_an_overlong_run_is_told_which_step_to_keep() -> None:
    verdict = judge({0: NOTHING, 50: result(0.2, 0.05), 100: result(-0.1, 0.7)})
    assert verdict.best_step == 50
    assert "step 50" in verdict.remedy


def test_a_run_that_only_harmed_is_not_told_to_keep_step_0() -> None:
    verdict = judge({0: NOTHING, 100: result(-0.1, 0.7)})
    assert verdict.best_step == 0 and "step 0" not in verdict.remedy


@pytest.mark.parametrize("missing", ["train", "held_out"])
def test_a_missing_side_is_named(missing: Side) -> None:
    sides: Sequence[Side] = ["held_out" if missing == "train" else "train"] * 8
    one = Probe(timesteps=(500,)).compare(np.ones((8, 1)), np.full((8, 1), 0.8), [str(at) for at in range(8)], sides)
    verdict = judge({100: one})
    assert verdict.state == "not enough evidence"
    assert ("trained" if missing == "train" else "held-out") in verdict.words


def test_a_run_that_ran_away_is_not_called_healthy() -> None:
    broken = Probe(timesteps=(500,)).compare(
        np.ones((8, 1)), np.full((8, 1), np.nan), list("abcdefgh"), ["train", "held_out"] * 4
    )
    verdict = judge({100: broken})
    assert verdict.state == "not enough evidence" and "ran away" in verdict.words


def test_a_verdict_can_be_kept_as_json(curve: dict[int, ProbeResult]) -> None:
    kept = json.loads(json.dumps(judge(curve).dump(), allow_nan=False))
    assert kept["state"] == judge(curve).state
    assert kept["findings"][0]["figures"][0]["name"] == "learning"


def test_thresholds_are_settings() -> None:
    strict = Thresholds(most_gap=0.01)
    assert judge({0: NOTHING, 100: result(0.2, 0.05)}, thresholds=strict).state == "overfit"
