"""Which checkpoint to keep: the verdict's choice beside four rules that people use, on what is true of each.

- the verdict's: most learning on the held-out pictures that a pause looks at by default, ties to the earlier one;
- the last checkpoint;
- the lowest training loss since the checkpoint before;
- the lowest raw validation loss over four timesteps, as kohya's trainer reports it (the probe's, not 200 to 800);
- the lowest raw validation loss at timestep 500, as OneTrainer reports it.

Both validation losses are given more than those programs give: one fixed noise for each picture and timestep.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.verdict_notes import Look
from evaluation.comparing import zero_of
from evaluation.metrics.probe import Probe, ProbeResult
from evaluation.verdict import best_step

NEAR = 0.02
"""of the best checkpoint's true learning: 2 % of the error"""
FOUR = Probe().timesteps
IN_PAUSES = 5
"""pictures of either side that a pause of these short runs looks at by default"""


def curve_of(looks: Sequence[Look], most: int = 12) -> dict[int, ProbeResult]:
    """The probe along a run, from the base on."""
    curve = {look.step: probed(look, most) for look in looks}
    return {0: zero_of(curve[looks[0].step]), **curve}


_PROBED: dict[tuple[str, int, int], ProbeResult] = {}


def probed(look: Look, most: int = 12) -> ProbeResult:
    """The probe of a checkpoint, its intervals drawn once for all rules and lines that ask for it."""
    key = (look.plan.name, look.step, most)
    if key not in _PROBED:
        _PROBED[key] = look.probe(most)
    return _PROBED[key]


def ours(looks: Sequence[Look], most: int = IN_PAUSES) -> int:
    """As `flows.judging` does."""
    return best_step(curve_of(looks, most)) or looks[-1].step


RULES: Mapping[str, Callable[[Sequence[Look]], int]] = {
    "the verdict's (5 pictures a side, in pauses)": ours,
    "the verdict's, up to 12 pictures a side": lambda looks: ours(looks, 12),
    "the last": lambda looks: looks[-1].step,
    "lowest training loss": lambda looks: min(looks, key=lambda look: look.train_loss).step,
    "lowest raw validation loss, four timesteps": lambda looks: (
        min(looks, key=lambda look: look.raw(*Probe().timesteps)).step
    ),
    "lowest raw validation loss, timestep 500": lambda looks: min(looks, key=lambda look: look.raw(500)).step,
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """How a rule did over all runs."""

    lost: tuple[float, ...]
    """true learning below the best checkpoint's, by run"""

    @property
    def near(self) -> float:
        """The share of runs in which the kept checkpoint is nearly the best."""
        return float(np.mean([lost <= NEAR for lost in self.lost]))


def true_learning(look: Look) -> float:
    """On the unseen pictures."""
    return -float(np.mean(look.truth["unseen"]))


def chosen_by(rule: Callable[[Sequence[Look]], int], runs: Sequence[Sequence[Look]]) -> Chosen:
    """What this rule keeps of each run, beside the best that there was."""
    lost = []
    for looks in runs:
        true = {look.step: true_learning(look) for look in looks}
        lost.append(max(true.values()) - true[rule(looks)])
    return Chosen(tuple(lost))
