"""Is what the verdict says of a checkpoint true? Precision and recall of overfit, memorised and drifted.

Truth has three values: known to be so, known not to be so, and too near the line to know (see `verdict_truth`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.verdict_choosing import curve_of, true_learning
from benchmarks.verdict_notes import Look
from evaluation.findings import UNSURE, Thresholds
from evaluation.intervals import deviations, interval, wilson
from evaluation.metric import Figure
from evaluation.verdict import Verdict, judge

WIDE, FALLEN, COPIES, FORGOTTEN = 0.3, 0.05, 0.1, math.log(2)
COPY = 0.7
"""pixel distance below which three readers called nearly everything a copy"""
OF = {"overfit": "gap", "memorised": "copy_rate"}
"""the figure of each question that the verdict can be in doubt about"""


def mean_of(values: Sequence[float] | NDArray[np.float64]) -> Figure:
    """With its interval over pictures."""
    array = np.array(values)
    return Figure("", float(array.mean()), *interval(float(array.mean()), deviations(array, "truth")))


def beyond(figure: Figure, line: float) -> bool | None:
    """Whether the whole interval is above the line; None where it contains it."""
    return True if figure.low > line else False if figure.high < line else None


def either(*answers: bool | None) -> bool | None:
    """True where one is, False where all are."""
    return True if True in answers else None if None in answers else False


def both(*answers: bool | None) -> bool | None:
    """False where one is, True where all are."""
    return False if False in answers else None if None in answers else True


def is_overfit(look: Look, run: Sequence[Look]) -> bool | None:
    """A wide gap, or unseen pictures known worse than at the best checkpoint before or by the base."""
    best = max((one for one in run if one.step <= look.step), key=true_learning)
    unseen = np.array(look.truth["unseen"])
    gap = mean_of(unseen - np.mean(look.truth["train"]))
    fallen = False if best is look else beyond(mean_of(unseen - np.array(best.truth["unseen"])), FALLEN)
    harmed = beyond(mean_of(unseen), FALLEN)
    return either(beyond(gap, WIDE), both(beyond(gap, 0.0), either(fallen, harmed)))


def copies(look: Look) -> Figure | None:
    """The true copy rate."""
    if "drawn" not in look.near:
        return None
    drawn = np.array(look.near["drawn"])
    count = int((drawn < COPY).sum())
    return Figure("copies", count / len(drawn), *wilson(count, len(drawn)))


def is_memorised(look: Look, run: Sequence[Look]) -> bool | None:  # noqa: ARG001
    """More than a tenth of the samples are copies: of 24 three or more are, one is chance, of two it is not known."""
    rate = copies(look)
    if rate is None:
        return None
    return True if rate.value > COPIES else False if rate.value <= COPIES / 2 else None


def is_drifted(look: Look, run: Sequence[Look]) -> bool | None:  # noqa: ARG001
    """What the base knew is predicted with twice the error."""
    return beyond(mean_of(look.truth["known"]), FORGOTTEN)


QUESTIONS: dict[str, Callable[[Look, Sequence[Look]], bool | None]] = {
    "overfit": is_overfit,
    "memorised": is_memorised,
    "drifted": is_drifted,
}


def verdict_on(look: Look, run: Sequence[Look], limits: Thresholds | None = None) -> Verdict:
    """As it would have been given, from what is written down."""
    return judge(
        curve_of(run),
        look.measured("memorisation"),
        look.measured("drift"),
        step=look.step,
        thresholds=limits,
    )


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of one question."""

    right: int = 0
    false: int = 0
    """said and not so"""
    missed: int = 0
    neither: int = 0
    unsure: int = 0
    """the verdict has not enough evidence for an answer to this question"""
    unknown: int = 0
    """the truth is too near its line"""

    @property
    def total(self) -> int:
        """All checkpoints that were asked about."""
        return self.right + self.false + self.missed + self.neither + self.unsure + self.unknown

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.false) if self.right + self.false else math.nan

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else math.nan

    def __str__(self) -> str:
        return (
            f"{self.right} right, {self.false} false, {self.missed} missed, {self.neither} rightly not said, "
            f"{self.unsure} without evidence, {self.unknown} too near the line"
        )


def score(question: str, runs: Sequence[Sequence[Look]], limits: Thresholds | None = None) -> Score:
    """How often the verdict says so, and it is so. Copies are asked of checkpoints that samples were drawn of."""
    counts = dict.fromkeys(("right", "false", "missed", "neither", "unsure", "unknown"), 0)
    for run in runs:
        for look in run:
            if question == "memorised" and not look.memorisation:
                continue
            counts[_case(question, look, run, limits)] += 1
    return Score(**counts)


def _case(question: str, look: Look, run: Sequence[Look], limits: Thresholds | None) -> str:
    verdict, true = verdict_on(look, run, limits), QUESTIONS[question](look, run)
    said = question in {finding.state for finding in verdict.findings}
    doubts = {figure.name for one in verdict.findings if one.state == UNSURE for figure in one.figures}
    if not said and OF.get(question) in doubts:
        return "unsure"
    if true is None:
        return "unknown"
    return ("right" if true else "false") if said else ("missed" if true else "neither")
