"""The verdict on a run: is it overfitted, which checkpoint to keep, what to do about it, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from evaluation.advice import advise
from evaluation.comparing import fallen
from evaluation.findings import (
    Finding,
    State,
    Thresholds,
    copied,
    drifted,
    enough,
    healthy,
    overfit,
    perhaps_copied,
    perhaps_overfit,
    somewhat_drifted,
    underfit,
    unsure,
)
from evaluation.metric import Measured
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
    best_strength: float = math.nan
    """of the adapter when it is used; NaN where it was not measured"""
    culprit: str = ""
    """the part that learned by heart, where that was measured and is sure"""

    def dump(self) -> dict[str, Any]:
        """As JSON can say it; its findings stand in verdict.json."""
        return _finite(asdict(self))  # type: ignore[no-any-return]


def judge(
    curve: Mapping[int, ProbeResult],
    memorisation: Measured | None = None,
    drift: Measured | None = None,
    *,
    step: int | None = None,
    now: Measured | None = None,
    strength: Measured | None = None,
    parts: Measured | None = None,
    thresholds: Thresholds | None = None,
) -> Verdict:
    """The verdict on the checkpoint at ``step`` (the last probed one), in the light of the others.

    ``now`` is the probe of that checkpoint, where it was made of more pictures than the curve. ``memorisation``,
    ``drift``, ``strength`` and ``parts`` (of `which_part`) are that checkpoint's; of what was not measured the verdict
    does not speak.
    """
    limits = thresholds or Thresholds()
    step = max(curve) if step is None else step
    best, probe = best_step(curve, limits), now if isinstance(now, ProbeResult) else curve[step]
    heart = overfit(probe, fallen(curve[step], curve[best]), step, best, limits)
    found = (
        copied(memorisation, limits),
        heart,
        drifted(drift, limits),
        None if heart else underfit(probe, limits),
        perhaps_copied(memorisation, limits),
        None if heart else perhaps_overfit(probe, limits),
    )
    findings = [finding for finding in found if finding is not None]
    if not findings:
        learned = enough(probe, limits) and probe.learning.low > 0
        changed = somewhat_drifted(drift, limits)
        findings = [healthy(probe, step, best, max(curve), changed) if learned else unsure(probe, limits)]
    first = findings[0]
    more = advise(first, strength, parts)
    remedy = f"{first.remedy} {more.words}".strip()
    return Verdict(first.state, first.words, step, best, remedy, tuple(findings), more.best_strength, more.culprit)


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
