"""The verdict on a run: is it overfitted, which checkpoint to keep, what to do about it, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from evaluation.findings import Finding, State, Thresholds, copied, drifted, enough, healthy, overfit, underfit, unsure
from evaluation.intervals import deviations, interval
from evaluation.metric import Figure, Measured
from evaluation.metrics.probe import ProbeResult


@dataclass(frozen=True, slots=True)
class Verdict:
    """The headline and all that was found, the gravest first."""

    state: State
    words: str
    step: int
    """the checkpoint that was judged"""
    best_step: int
    """the checkpoint to keep; 0 is the base itself"""
    remedy: str
    findings: tuple[Finding, ...]

    def dump(self) -> dict[str, Any]:
        """As JSON can say it: what stands in verdict.json."""
        return _finite(asdict(self))  # type: ignore[no-any-return]


def judge(
    curve: Mapping[int, ProbeResult],
    memorisation: Measured | None = None,
    drift: Measured | None = None,
    *,
    step: int | None = None,
    thresholds: Thresholds | None = None,
) -> Verdict:
    """The verdict on the checkpoint at ``step`` (the last probed one), in the light of the others.

    ``memorisation`` and ``drift`` are that checkpoint's; without them the verdict does not speak of copies or of drift.
    """
    limits = thresholds or Thresholds()
    step = max(curve) if step is None else step
    best, now = best_step(curve, limits), curve[step]
    heart = overfit(now, fallen(now, curve[best]), step, best, limits)
    found = (copied(memorisation, limits), heart, drifted(drift, limits), None if heart else underfit(now, limits))
    findings = [finding for finding in found if finding is not None]
    if not findings:
        learned = enough(now, limits) and now.learning.low > 0
        findings = [healthy(now, step, best) if learned else unsure(now, limits)]
    first = findings[0]
    return Verdict(first.state, first.words, step, best, first.remedy, tuple(findings))


def best_step(curve: Mapping[int, ProbeResult], thresholds: Thresholds | None = None) -> int:
    """The checkpoint with the most held-out learning; of those that tie with it, the earliest.

    Checkpoints are compared picture by picture, so a difference is seen that two separate intervals would hide.
    """
    limits = thresholds or Thresholds()
    best = max(curve, key=lambda step: (_or_least(curve[step].learning.value), -step))
    for step in sorted(curve):
        behind = fallen(curve[step], curve[best])
        if step == best or (behind.value < limits.tie and behind.low <= 0):
            return step
    return best


def fallen(one: ProbeResult, best: ProbeResult) -> Figure:
    """By how much held-out learning is lower at one checkpoint than at the best, paired by picture."""
    behind = one.held_out_means() - best.held_out_means()
    value = float(behind.mean()) if len(behind) else math.nan
    return Figure("behind_best", value, *interval(value, deviations(behind, "checkpoints")))


def _or_least(value: float) -> float:
    return value if math.isfinite(value) else -math.inf


def _finite(value: Any) -> Any:
    """The same value with None for what JSON has no number for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
