"""When to stop early: not where a point is lower than the best, but where the paired interval says that it is."""

from collections.abc import Mapping

from evaluation.comparing import TIE, fallen
from evaluation.findings import Thresholds, enough
from evaluation.metrics.probe import ProbeResult


def given_up(curve: Mapping[int, ProbeResult], patience: int) -> bool:
    """Whether the last ``patience`` looks are all surely worse than the best one before them, on held-out pictures.

    Surely: the whole interval of the difference, paired by picture, is beyond zero, and the difference is one that
    counts. Too few pictures are never sure, and so never stop a run.
    """
    steps = sorted(curve)
    last, before = steps[-patience:], steps[:-patience]
    if patience < 1 or not before or not enough(curve[steps[-1]], Thresholds()):
        return False
    best = max(before, key=lambda step: curve[step].learning.value)
    behind = [fallen(curve[step], curve[best]) for step in last]
    return all(one.low > 0 and one.value > TIE for one in behind)
