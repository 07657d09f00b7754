"""The proof of the verdict, on checkpoints recorded from four of its real runs (`make bench-verdict` has them all)."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.verdict import told
from benchmarks.verdict_choosing import NEAR, RULES, chosen_by
from benchmarks.verdict_labels import by_chance
from benchmarks.verdict_notes import Look, Notebook
from benchmarks.verdict_pictures import different
from benchmarks.verdict_plans import field, for_one_question
from benchmarks.verdict_right import QUESTIONS, beyond, both, either, verdict_on
from evaluation.findings import Thresholds
from evaluation.metric import Figure

MISSED = ("memorised", "field-poster-20-set0-lora-high-s1")
"""3 of the truth's 24 samples are copies, and none of the verdict's 12"""
RECORDED = Path(__file__).parent / "recorded"


@pytest.fixture(scope="module")
def runs() -> dict[str, list[Look]]:
    return Notebook(RECORDED / "looks.jsonl").runs("field")


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_said_of_recorded_checkpoints_is_true(question: str, runs: dict[str, Sequence[Look]]) -> None:
    answers = []
    for run in runs.values():
        for look in run:
            true = QUESTIONS[question](look, run)
            if true is not None and (question != "memorised" or look.memorisation):
                answers.append(true)
                said = question in {one.state for one in verdict_on(look, run).findings}
                assert said == (true and (question, look.plan.name) != MISSED), look.plan.name
    assert True in answers and False in answers


def test_lines_far_off_are_noticed(runs: dict[str, list[Look]]) -> None:
    """The recorded figures are such that other lines would be wrong about them."""
    blind = Thresholds(most_gap=9, worse_than_best=9, most_drift=9, most_copies=1)
    run = next(looks for looks in runs.values() if looks[-1].plan.size == 8)
    assert verdict_on(run[-1], run).state == "memorised"
    assert verdict_on(run[-1], run, blind).state not in ("memorised", "drifted")


def test_the_kept_checkpoint_is_nearly_the_best_and_the_last_one_is_not(runs: dict[str, list[Look]]) -> None:
    ours, last = (chosen_by(RULES[name], list(runs.values())) for name in (next(iter(RULES)), "the last"))
    assert max(ours.lost) <= NEAR < max(last.lost)


def test_sides_dealt_by_chance_have_no_gap(runs: dict[str, list[Look]]) -> None:
    assert [goal.met for goal in by_chance(runs)] == [True]


def test_a_figure_whose_interval_holds_the_line_is_not_known() -> None:
    assert [beyond(Figure("", 1, low, 2), 0.5) for low in (0.6, 0.4)] == [True, None]
    assert beyond(Figure("", 0, -1, 0.4), 0.5) is False
    assert either(None, True) and either(None, False) is None and either(False, False) is False
    assert both(None, False) is False and both(None, True) is None and both(True, True)


def test_a_line_that_was_cut_off_is_passed_over_and_what_follows_is_whole(tmp_path: Path) -> None:
    line = (RECORDED / "looks.jsonl").read_text().splitlines()[0]
    notebook = Notebook(tmp_path / "looks.jsonl")
    notebook.path.write_text(line[:200])
    assert not notebook.runs()
    look = next(Notebook(RECORDED / "looks.jsonl").looks())
    notebook.add([look])
    (again,) = notebook.looks()
    assert again == look and json.loads(notebook.path.read_text().splitlines()[1]) == json.loads(line)


def test_all_figures_stand_beside_their_goals_and_too_few_runs_fall_short(tmp_path: Path) -> None:
    goals = told(RECORDED, Notebook(RECORDED / "looks.jsonl"))
    assert [goal.met for goal in goals if goal.what == "runs"] == [False]
    assert any("precision" in goal.what for goal in goals)


def test_of_drawings_that_look_alike_the_first_is_kept() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 256, (2, 8, 8, 3), np.uint8)
    small = np.stack([first, second, first[:, ::-1], np.clip(first, 3, 250)]).reshape(4, -1)
    assert different(small) == [0, 1]


def test_no_two_plans_bear_one_name() -> None:
    names = [plan.name for plan in (*field(), *for_one_question())]
    assert len(set(names)) == len(names) >= 24
