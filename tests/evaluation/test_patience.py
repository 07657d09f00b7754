"""Early stopping looks at intervals, not at points."""

from evaluation.metrics.probe import ProbeResult
from evaluation.patience import given_up
from tests.evaluation.test_verdict import NOTHING, result


def test_a_run_that_keeps_getting_worse_is_given_up(curve: dict[int, ProbeResult]) -> None:
    assert not given_up({step: curve[step] for step in (0, 25)}, 1)
    assert given_up({0: NOTHING, 50: result(0.3, 0.1), 100: result(0.1, 0.4), 150: result(0.0, 0.5)}, 2)


def test_a_dip_within_the_patience_is_waited_out() -> None:
    dipped = {0: NOTHING, 50: result(0.3, 0.1), 100: result(0.1, 0.1)}
    assert given_up(dipped, 1) and not given_up(dipped, 2)
    assert not given_up(dipped | {150: result(0.31, 0.1)}, 1)


def test_what_is_not_sure_stops_nothing() -> None:
    few = {0: NOTHING, 50: result(0.3, 0.1, held_out=3), 100: result(0.1, 0.4, held_out=3)}
    assert not given_up(few, 1)
    level = {0: NOTHING, 50: result(0.3, 0.1), 100: result(0.29, 0.2)}
    assert not given_up(level, 1), "no difference that counts"
    assert not given_up({0: NOTHING}, 1) and not given_up({}, 1) and not given_up(level, 0)
