import pytest

from flows.deciding import Change, Decision, Retrain, Trained, decide

NOW = 1_000_000.0
LAST = Trained("run-1", "m1", "data-0001", ended=NOW - 2 * 3600)
NOTHING = Change(new_groups=0, changed=0.0, captions_edited=0)


def asked(change: Change | None, policy: Retrain | None = None, last: Trained | None = LAST) -> Decision:
    return decide(policy or Retrain(), "data-0002", None, last, change, NOW)


def test_data_that_is_trained_already_is_never_trained_again() -> None:
    found = decide(Retrain(), "data-0002", LAST, LAST, Change(99, 1.0, 99), NOW)
    assert not found.train
    assert "run-1" in found.reason


def test_the_first_training_needs_no_change() -> None:
    assert asked(None, last=None).train


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Change(10, 0.0, 0), "10 new groups (limit 10)"),
        (Change(0, 0.1, 0), "10% of the pictures changed"),
        (Change(0, 0.0, 20), "20 captions edited"),
        (Change(0, 0.0, 0, drift=0.2), "drifted by 0.200"),
    ],
)
def test_any_one_limit_is_enough_and_is_named(change: Change, words: str) -> None:
    found = asked(change, Retrain(drift=0.2))
    assert found.train
    assert words in found.reason


@pytest.mark.parametrize("change", [NOTHING, Change(9, 0.09, 19), Change(0, 0.0, 0, drift=5.0)])
def test_below_all_limits_nothing_is_trained_and_the_figures_are_told(change: Change) -> None:
    found = asked(change)
    assert not found.train
    assert f"{change.new_groups} new groups" in found.reason
    assert found.again_in is None  # only other data can change this


def test_a_limit_that_is_null_is_off() -> None:
    policy = Retrain(new_groups=None, changed=None, captions_edited=None)
    assert not asked(Change(1000, 1.0, 1000), policy).train


def test_too_soon_after_the_last_one_says_when_to_ask_again() -> None:
    found = asked(Change(10, 0.0, 0), Retrain(hours=3))
    assert not found.train
    assert found.again_in == pytest.approx(1.0)
    assert asked(Change(10, 0.0, 0), Retrain(hours=1.9)).train


def test_data_that_cannot_be_compared_is_trained_on() -> None:
    assert asked(None).train
