"""Deliberately wrong labels: do the measures say so?

- **Sides by chance** (costs nothing): with trained and held-out pictures dealt anew, the gap must not be found.
- **A leaked split**: every picture is there twice, and the split is told to see no near-duplicates. The gap collapses,
  while the true one stays; with near-duplicates seen, as by default, it does not.
- **Shuffled captions**: the files bear other pictures' names. What is learned of new pictures falls.
"""

import random
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.goal import Goal
from benchmarks.verdict_notes import Look
from benchmarks.verdict_remedies import student, words
from evaluation.metrics.probe import Side

Runs = Mapping[str, Sequence[Look]]
DEALS = 20
HONEST = "honest"


def dealt(look: Look, seed: int) -> dict[str, Side]:
    """Sides by chance, as many of each as there are."""
    rng = random.Random(f"{look.plan.name} {look.step} {seed}")
    sides = [side for _, _, side in look.records]
    rng.shuffle(sides)
    return {record: side for (record, _, _), side in zip(look.records, sides, strict=True)}


def by_chance(runs: Runs) -> list[Goal]:
    """How often a gap is found that is not there, among those where one surely is."""
    lasts = [looks[-1] for looks in runs.values()]
    surely = [look for look in lasts if look.probe().gap.low > 0]
    found = [look.probe(swap=dealt(look, deal)).gap.low > 0 for look in surely for deal in range(DEALS)]
    if not found:
        return []
    share = float(np.mean(found))
    name = f"sides by chance: a gap above 0 is found ({len(surely)} runs that have one, {DEALS} deals)"
    return [Goal(name, f"{share:.1%}", "at most 5 %", share <= 0.05)]


def true_gap(look: Look) -> float:
    """On unseen pictures."""
    return float(np.mean(look.truth["unseen"]) - np.mean(look.truth["train"]))


def differences(runs: Runs) -> list[Goal]:
    """Seed by seed against the run with right labels."""
    lasts: dict[str, dict[int, Look]] = {}
    for looks in runs.values():
        purpose, _, kind = looks[-1].plan.purpose.partition("-")
        if purpose == "drift" and not looks[-1].plan.prior:
            purpose, kind = "labels", HONEST  # the same run with right labels
        if purpose == "labels":
            lasts.setdefault(kind, {})[looks[-1].plan.seed] = looks[-1]
    goals = []
    for kind in ("twins", "leaked"):
        for look in lasts.get(kind, {}).values():
            seen, true = look.probe().gap, true_gap(look)
            met = abs(seen.value - true) < 0.1 if kind == "twins" else seen.value < true / 2
            asked = "the true one, within .1" if kind == "twins" else "less than half of the true one"
            goals.append(Goal(f"{kind}: gap; truly {true:+.3f}", str(seen), asked, met))
    both = sorted(set(lasts.get(HONEST, {})) & set(lasts.get("shuffled", {})))
    if len(both) > 1:
        honest, shuffled = ([lasts[kind][seed] for seed in both] for kind in (HONEST, "shuffled"))
        fell = [b.probe().learning.value - a.probe().learning.value for a, b in zip(honest, shuffled, strict=True)]
        figure = student(fell)
        goals.append(
            Goal(f"shuffled captions: change of learning ({len(both)} seeds)", words(figure), "below 0", figure[2] < 0)
        )
    return goals
