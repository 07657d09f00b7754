"""The verdict on a run: is it overfitted, which checkpoint to keep, what to do about it, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from evaluation.intervals import deviations, interval
from evaluation.metric import Figure, Measured
from evaluation.metrics.probe import ProbeResult

State = Literal["underfit", "healthy", "overfit", "memorised", "drifted", "not enough evidence"]


class Thresholds(BaseModel):
    """Where the lines are drawn. A line counts as crossed when the whole interval is beyond it, not the point alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    least_groups: int = Field(5, ge=2)
    """on either side; with fewer, an interval of resampled groups promises more than it can hold"""
    least_learning: float = 0.02
    """2 % less error on held-out pictures: below that nobody sees a difference beside the base"""
    most_gap: float = 0.3
    """on the first pocket base a run of 24 pictures that looked right had .11, one of 6 that copied them .8 to 1"""
    worse_than_best: float = 0.05
    """how much held-out learning may have fallen since the best checkpoint; a tenth of a healthy run's is noise"""
    most_copies: float = 0.05
    """1 % of real pictures would be called copies by the same rule, and a dozen samples cannot tell 1 % from 5 %"""
    most_drift: float = 1.0
    """relative: the tuned network differs from the base by as much as the base errs. With prior preservation a
    DreamBooth run had .3, without it 1.9, and there every heart had turned into the subject"""
    tie: float = 0.02
    """checkpoints whose held-out learning differs by less, and not surely, are equally good: the earlier one wins"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found, with the figures that say so."""

    state: State
    words: str
    figures: tuple[Figure, ...]
    remedy: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The headline and all that was found, the gravest first."""

    state: State
    words: str
    step: int
    """the checkpoint that was judged"""
    best_step: int
    """the checkpoint to keep"""
    remedy: str
    findings: tuple[Finding, ...]

    def dump(self) -> dict[str, Any]:
        """As JSON can say it: what stands in verdict.json."""
        return _finite(asdict(self))  # type: ignore[no-any-return]


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


def fallen(later: ProbeResult, best: ProbeResult) -> Figure:
    """By how much held-out learning is lower at one checkpoint than at another, paired by picture."""
    behind = later.held_out_means() - best.held_out_means()
    value = float(behind.mean()) if len(behind) else math.nan
    return Figure("behind_best", value, *interval(value, deviations(behind, "checkpoints")))


def judge(
    curve: Mapping[int, ProbeResult],
    memorisation: Measured | None = None,
    drift: Measured | None = None,
    *,
    step: int | None = None,
    thresholds: Thresholds | None = None,
) -> Verdict:
    """The verdict on the checkpoint at ``step`` (the last probed one), in the light of those before it.

    ``memorisation`` and ``drift`` are that checkpoint's; without them the verdict does not speak of copies or of drift.
    """
    limits = thresholds or Thresholds()
    step = max(curve) if step is None else step
    best = best_step(curve, limits)
    now = curve[step]
    overfit = _overfit(now, fallen(now, curve[best]), step, best, limits)
    found = (_copied(memorisation, limits), overfit, _drifted(drift, limits), None if overfit else _little(now, limits))
    findings = [finding for finding in found if finding is not None]
    if not findings:
        learned = _enough(now, limits) and now.learning.low > 0
        findings = [_healthy(now, step, best) if learned else _unsure(now, limits)]
    first = findings[0]
    return Verdict(first.state, first.words, step, best, first.remedy, tuple(findings))


def _copied(memorisation: Measured | None, limits: Thresholds) -> Finding | None:
    if memorisation is None or not memorisation["copy_rate"].low > limits.most_copies:
        return None
    rate = memorisation["copy_rate"]
    return Finding(
        "memorised",
        f"It gives training pictures back: {_percent(rate.value)} of its samples are nearer to a training picture than "
        "different pictures of yours are to each other. Look at the pairs below.",
        (rate, memorisation["c_t_pixel"], memorisation["pull_pixel"]),
        "Train for fewer steps, on more or more varied pictures, and take out near-duplicates. A lower strength hides "
        "copies but does not remove them.",
    )


def _overfit(now: ProbeResult, behind: Figure, step: int, best: int, limits: Thresholds) -> Finding | None:
    enough = _enough(now, limits)
    harmed = now.learning.high < 0
    past = step > best and behind.low > 0 and behind.value > limits.worse_than_best
    wide = now.gap.low > limits.most_gap
    if not (enough and now.gap.low > 0 and (harmed or past or wide)):
        return None
    why = [f"It knows the trained pictures much better than others of their kind (gap {now.gap.value:.2f})"]
    if harmed:
        why.append("and pictures it has not seen are now predicted worse than by the base model")
    elif past:
        why.append(f"and has been getting worse on pictures it has not seen since step {best}")
    remedy = f"Keep the checkpoint of step {best}." if 0 < best < step else "Train again with a lower learning rate."
    return Finding(
        "overfit",
        " ".join(why) + ".",
        (now.learning, now.gap, behind),
        f"{remedy} More pictures help most; then a lower rank, or a lower strength when sampling.",
    )


def _drifted(drift: Measured | None, limits: Thresholds) -> Finding | None:
    if drift is None or not drift["relative"].low > limits.most_drift:
        return None
    return Finding(
        "drifted",
        "It has forgotten part of what the base model could do: prompts that have nothing to do with your pictures "
        f"come out changed (drift {drift['relative'].value:.1f} times the base's own error).",
        (drift["relative"], drift["drift"], drift["rho"]),
        "Train again with prior preservation or a lower learning rate; until then use it at a lower strength.",
    )


def _little(now: ProbeResult, limits: Thresholds) -> Finding | None:
    if not (_enough(now, limits) and now.learning.high < limits.least_learning):
        return None
    if now.learning.high < 0 and now.train_learning.high < 0:
        words = "Training has harmed it: even the trained pictures are predicted worse than by the base model."
        remedy = "Lower the learning rate."
    elif now.train_learning.low > limits.least_learning:
        words = "What it learned of the trained pictures does not carry over to others of their kind."
        remedy = "Use more varied pictures, and captions that say what differs between them."
    else:
        words = "It has hardly learned anything yet: it predicts your pictures about as well as the base model does."
        remedy = "Train for more steps, or with a higher learning rate."
    return Finding("underfit", words, (now.learning, now.train_learning), remedy)


def _healthy(now: ProbeResult, step: int, best: int) -> Finding:
    saved = _percent(-math.expm1(-now.learning.value))
    words = (
        f"It has learned: pictures of this kind that it has never seen are predicted with {saved} less error than by "
        "the base model"
    )
    gap = (
        "with a small lead on the trained ones, as is usual" if now.gap.low > 0 else "and no surer on the trained ones"
    )
    kept = (
        f"Step {best} was as good or better: keep that one." if best < step else "Keep it. More steps may still help."
    )
    return Finding("healthy", f"{words}, {gap}.", (now.learning, now.gap), kept)


def _unsure(now: ProbeResult, limits: Thresholds) -> Finding:
    figures = (now.learning, now.gap)
    if not (math.isfinite(now.learning.value) and math.isfinite(now.gap.value)):
        sides = [f"{words}" for side, words in _SIDES.items() if not now.count(side)]
        if sides:
            return Finding(_UNSURE, f"There are no {' and no '.join(sides)} pictures to measure on.", figures, _MORE)
        return Finding(
            _UNSURE, "The network no longer gives numbers: training ran away.", figures, "Lower the learning rate."
        )
    if not _enough(now, limits):
        counts = f"{now.count('train')} trained and {now.count('held_out')} held-out"
        return Finding(
            _UNSURE,
            f"There are too few different pictures to tell ({counts}; {limits.least_groups} of each are needed).",
            figures,
            _MORE,
        )
    return Finding(
        _UNSURE,
        "The held-out pictures disagree too much to tell whether it has learned anything that carries over "
        f"(learning between {now.learning.low:+.2f} and {now.learning.high:+.2f}).",
        figures,
        _MORE,
    )


_SIDES: dict[Literal["train", "held_out"], str] = {"train": "trained", "held_out": "held-out"}
_UNSURE: State = "not enough evidence"
_MORE = "Add pictures or hold out a larger share. Until then trust your eyes: compare the samples with the base's."


def _enough(now: ProbeResult, limits: Thresholds) -> bool:
    return min(now.count("train"), now.count("held_out")) >= limits.least_groups and bool(np.isfinite(now.rho).all())


def _or_least(value: float) -> float:
    return value if math.isfinite(value) else -math.inf


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _finite(value: Any) -> Any:
    """The same value with None for what JSON has no number for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
