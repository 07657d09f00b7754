"""Two probes of the same pictures beside each other: paired by picture, a difference shows that two intervals hide."""

import math
from dataclasses import replace

from evaluation.intervals import deviations, interval
from evaluation.metric import Figure
from evaluation.metrics.probe import ProbeResult

TIE = 0.02
"""held-out learning that differs by less, and not surely, is equally good: 2 % of the error, which nobody sees"""


def fallen(one: ProbeResult, best: ProbeResult) -> Figure:
    """By how much held-out learning is lower in one probe than in the best, paired by picture."""
    behind = one.held_out_means() - best.held_out_means()
    value = float(behind.mean()) if len(behind) else math.nan
    return Figure("behind_best", value, *interval(value, deviations(behind, "checkpoints")))


def zero_of(probe: ProbeResult) -> ProbeResult:
    """The base beside itself: the zero that a curve begins with."""
    nothing = tuple(Figure(figure.name, 0.0, 0.0, 0.0) for figure in probe.figures)
    return replace(probe, figures=nothing, rho=0.0 * probe.rho)
