"""Every figure of the proof beside its goal, from what is written down."""

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.goal import Goal
from benchmarks.verdict_choosing import NEAR, RULES, chosen_by
from benchmarks.verdict_notes import Look
from benchmarks.verdict_plans import DRAWN_BY, field, newest
from benchmarks.verdict_remedies import student, words
from benchmarks.verdict_right import QUESTIONS, Score, score
from evaluation.advice import culprit
from evaluation.findings import Thresholds

Runs = Mapping[str, Sequence[Look]]
ENOUGH = 24


def halves(runs: Runs) -> tuple[list[Sequence[Look]], list[Sequence[Look]]]:
    """The runs by which lines were drawn, and those that were not looked at for it."""
    order = [plan.name for plan in field()]
    drawn_by = order[:DRAWN_BY:2]
    others = [name for name in order if name not in drawn_by]
    return [runs[name] for name in drawn_by if name in runs], [runs[name] for name in others if name in runs]


def choosing(runs: Runs) -> list[Goal]:
    """How often each rule keeps a checkpoint that is nearly the best."""
    goals = [Goal("runs", str(len(runs)), f"at least {ENOUGH}", len(runs) >= ENOUGH)]
    for at, (name, rule) in enumerate(RULES.items()):
        found = chosen_by(rule, list(runs.values()))
        figure = f"{found.near:.0%}, lost {np.mean(found.lost):.3f}, at most {max(found.lost):.3f}"
        goals.append(Goal(f"within {NEAR} of the best: {name}", figure, "90 %" if at < 1 else "", found.near >= 0.9))
    return goals


def rightness(runs: Runs, limits: Thresholds | None = None) -> list[Goal]:
    """Precision and recall, of all, and of the runs that no line was drawn by."""
    drawn_by, others = halves(runs)
    goals = []
    for question in QUESTIONS:
        parts = (
            ("all runs", [*drawn_by, *others], True),
            ("the other runs", others, True),
            ("the newest of these", [runs[plan.name] for plan in newest() if plan.name in runs], False),
            ("those that drew the lines", drawn_by, False),
        )
        for name, own, asked in parts:
            goals += lines_of(f"{question}, {name}", score(question, own, limits), asked=asked)
    return goals


def lines_of(name: str, found: Score, *, asked: bool) -> list[Goal]:
    """One question on some runs."""
    counts = Goal(f"{name}: {found}", "")
    goal = "at least 90 %" if asked else ""
    unsure = found.unsure / max(found.total, 1)
    return [
        counts,
        Goal("    precision", f"{found.precision:.0%}", goal, found.precision >= 0.9),
        Goal("    recall", f"{found.recall:.0%}", goal, found.recall >= 0.9),
        Goal("    not enough evidence", f"{unsure:.0%}", "under 15 %" if asked else "", unsure < 0.15),
    ]


def preservation(runs: Runs) -> list[Goal]:
    """Runs that differ in prior preservation alone."""
    pairs: dict[int, dict[bool, Look]] = {}
    for looks in runs.values():
        last = looks[-1]
        pairs.setdefault(last.plan.seed, {})[last.plan.prior] = last
    both = [pair for pair in pairs.values() if len(pair) == 2]
    if len(both) < 2:
        return []
    true = student([float(np.mean(one[True].truth["known"]) - np.mean(one[False].truth["known"])) for one in both])
    seen = student([drift_of(one[True]) - drift_of(one[False]) for one in both])
    return [
        Goal(f"prior preservation: change of true drift ({len(both)} seeds)", words(true), "below 0", true[2] < 0),
        Goal("    change of `prior_drift`, as a run's user sees it", words(seen), "below 0", seen[2] < 0),
    ]


def drift_of(look: Look) -> float:
    """As the user sees it."""
    found = look.measured("drift")
    assert found is not None
    return found["relative"].value


def culprits(runs: Runs) -> list[Goal]:
    """Whether the part that was made to learn by heart is the one that is named."""
    goals = []
    for part, name in (("words", "text encoder"), ("network", "network")):
        own = [looks[-1] for looks in runs.values() if looks[-1].plan.purpose == f"parts-{part}"]
        named = [culprit(found) for look in own if (found := look.measured("which_part"))]
        right = named.count(name)
        if named:
            goals.append(Goal(f"culprit: the {name}", f"{right} of {len(named)}", "all", right == len(named)))
            for kind in ("words", "network"):
                figures = [found[f"gap_from_{kind}"] for look in own if (found := look.measured("which_part"))]
                goals.append(Goal(f"    gap_from_{kind}", "  ".join(map(str, figures))))
    return goals
