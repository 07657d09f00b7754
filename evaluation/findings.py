"""What can be found of a checkpoint, one function each: a finding with its words, figures and remedy, or nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from evaluation.metric import Figure, Measured
from evaluation.metrics.probe import ProbeResult

State = Literal["underfit", "healthy", "overfit", "memorised", "drifted", "not enough evidence"]
UNSURE: State = "not enough evidence"
MORE = "Add pictures or hold out a larger share. Until then trust your eyes: compare the samples with the base's."


class Thresholds(BaseModel):
    """Where the lines are drawn, by the runs of `make bench-verdict`, whose truth is known.

    A line counts as crossed when the whole interval is beyond it; that of the gap when the estimate is, and the
    interval is beyond half of it; that of a fall after the best checkpoint when the estimate is, and the interval is
    beyond zero. Of gap and copies it is said, too, where only the estimate is beyond: that is not
    enough evidence for either answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    least_groups: int = Field(5, ge=2)
    """on either side; with fewer, an interval of resampled groups promises more than it can hold"""
    least_learning: float = 0.02
    """2 % less error on held-out pictures: below that nobody sees a difference beside the base"""
    most_gap: float = 0.3
    """a quarter of the error on trained pictures went away by heart. With the whole interval beyond it, 8 pictures with
    a true gap of .47 and .53 passed as healthy"""
    worse_than_best: float = 0.05
    """how much held-out learning may surely fall after the best checkpoint (the interval of the fall above 0 and its
    estimate beyond this): 5 % more error is still nothing one sees"""
    most_copies: float = 0.1
    """a share of samples that somebody who uses the model will come across"""
    times_chance: float = 3.0
    """and surely more copies than chance gives, by an estimate that few pictures make too low: at most 1.2 % of sets of
    drawings without any copy among the samples are called memorised (`benchmarks/verdict_copies.py`)"""
    most_drift: float = 0.45
    """relative: change of the prediction beside the base's own error. From there on what the base drew is predicted
    with twice the error, and CLIP names a quarter of the ordinary things that it named before"""
    some_drift: float = 0.3
    """half as much error again, and a quarter to a half of those names gone: said, but not held against a run, since a
    style that is meant for every prompt does so"""
    tie: float = 0.01
    """checkpoints whose held-out learning differs by less, and not surely, are equally good: the earlier one wins. At
    .02 the earlier one was truly worse by up to .025"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found, with the figures that say so."""

    state: State
    words: str
    figures: tuple[Figure, ...]
    remedy: str


def enough(now: ProbeResult, limits: Thresholds) -> bool:
    """Whether both sides have pictures enough for their interval to be believed, and figures at all."""
    return min(now.count("train"), now.count("held_out")) >= limits.least_groups and bool(np.isfinite(now.rho).all())


def copied(memorisation: Measured | None, limits: Thresholds) -> Finding | None:
    """Samples are training pictures."""
    if memorisation is None:
        return None
    rate = memorisation["copy_rate"]
    if not rate.low > _copies_line(memorisation, limits):
        return None
    return Finding(
        "memorised",
        f"It gives training pictures back: {_percent(rate.value)} of its samples are nearer to a training picture than "
        "different pictures of yours are to each other.",
        (rate, memorisation["c_t_pixel"], memorisation["pull_pixel"]),
        "Train for fewer steps, on more or more varied pictures, and take out near-duplicates. A lower strength hides "
        "copies but does not remove them.",
    )


def overfit(now: ProbeResult, behind: Figure, step: int, best: int, limits: Thresholds) -> Finding | None:
    """Trained pictures are known by heart: a wide gap, or a gap with held-out pictures getting worse."""
    harmed = now.learning.high < 0
    past = step > best and behind.low > 0 and behind.value > limits.worse_than_best
    wide = now.gap.value > limits.most_gap and now.gap.low > limits.most_gap / 2
    if not (enough(now, limits) and now.gap.low > 0 and (harmed or past or wide)):
        return None
    words = f"It knows the trained pictures much better than others of their kind (gap {now.gap.value:.2f})"
    if harmed:
        words += ", and pictures it has not seen are now predicted worse than by the base model"
    elif past:
        words += f", and has been getting worse on pictures it has not seen since step {best}"
    remedy = f"Keep the checkpoint of step {best}." if 0 < best < step else "Train again with a lower learning rate."
    return Finding(
        "overfit",
        f"{words}.",
        (now.learning, now.gap, behind),
        f"{remedy} More pictures help most; then a lower rank, or a lower strength when sampling.",
    )


def perhaps_copied(memorisation: Measured | None, limits: Thresholds) -> Finding | None:
    """More samples than may be are near to training pictures, and too few to be sure that this is no chance."""
    if memorisation is None:
        return None
    rate = memorisation["copy_rate"]
    if not rate.low <= _copies_line(memorisation, limits) < rate.value:
        return None
    return Finding(
        UNSURE,
        f"It may give training pictures back: {_percent(rate.value)} of its samples are nearer to a training picture "
        f"than different pictures of yours are to each other, but of so few anything between {_percent(rate.low)} and "
        f"{_percent(rate.high)} is possible.",
        (rate, memorisation["c_t_pixel"], memorisation["pull_pixel"]),
        "Look at the samples beside their nearest training pictures; draw more of them (`samples.memorisation`).",
    )


def perhaps_overfit(now: ProbeResult, limits: Thresholds) -> Finding | None:
    """The gap is wide, and its interval too wide to say whether trained pictures are known by heart."""
    if not (enough(now, limits) and now.gap.value > limits.most_gap):
        return None
    words = (
        f"It may know the trained pictures by heart: the gap is {now.gap.value:.2f}, which is much, but "
        f"{now.count('held_out')} held-out pictures leave anything between {now.gap.low:.2f} and {now.gap.high:.2f} "
        "open."
    )
    if now.learning.low > 0:
        words += f" It has learned, too: it predicts new pictures of this kind with {_less_error(now)}."
    return Finding(
        UNSURE,
        words,
        (now.learning, now.gap),
        "Compare its samples with the trained pictures before you use it. Hold out more pictures, or let "
        "`split.k_fold` choose the step; an earlier step or a lower strength is the safe choice until then.",
    )


def drifted(drift: Measured | None, limits: Thresholds) -> Finding | None:
    """What the base knew has changed."""
    if drift is None or not drift["relative"].low > limits.most_drift:
        return None
    return Finding(
        "drifted",
        "It has forgotten part of what the base model could do: prompts that have nothing to do with your pictures "
        f"come out changed (drift {drift['relative'].value:.2f} times the base's own error).",
        (drift["relative"], drift["drift"], drift["rho"]),
        "Train again with prior preservation or a lower learning rate; until then use it at a lower strength.",
    )


def underfit(now: ProbeResult, limits: Thresholds) -> Finding | None:
    """Held-out pictures are surely not known better than by the base."""
    if not (enough(now, limits) and now.learning.high < limits.least_learning):
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


def healthy(now: ProbeResult, step: int, best: int, last: int, changed: str = "") -> Finding:
    """It has learned what carries over, and nothing speaks against it."""
    words = f"It has learned: it predicts new pictures of this kind with {_less_error(now)}."
    if now.gap.low > 0:
        words += f" The trained ones it knows a little better still (gap {now.gap.value:.2f}), as is usual."
    if best < step:
        kept = f"Step {best} was as good or better: keep that one."
    elif step < last:
        kept = f"Keep it: what was trained after it, up to step {last}, is no better as far as can be told."
    else:
        kept = "Keep it; more steps may still help."
    return Finding("healthy", words + changed, (now.learning, now.gap), kept)


def somewhat_drifted(drift: Measured | None, limits: Thresholds) -> str:
    """A sentence for a run that is healthy all the same; empty where there is nothing to say."""
    if drift is None or not drift["relative"].low > limits.some_drift:
        return ""
    return (
        f" Prompts that have nothing to do with your pictures come out somewhat changed (drift "
        f"{drift['relative'].value:.2f}): with prior preservation, or at a lower strength, less so."
    )


def unsure(now: ProbeResult, limits: Thresholds) -> Finding:
    """Why nothing can be said, and what would help."""
    counts = {"trained": now.count("train"), "held-out": now.count("held_out")}
    missing = [name for name, count in counts.items() if not count]
    remedy = MORE
    if missing:
        words = f"There are no {' and no '.join(missing)} pictures to measure on."
    elif not np.isfinite(now.rho).all():
        words, remedy = "The network no longer gives numbers: training ran away.", "Lower the learning rate."
    elif not enough(now, limits):
        sides = " and ".join(f"{count} {name}" for name, count in counts.items())
        words = f"There are too few different pictures to tell ({sides}; {limits.least_groups} of each are needed)."
    else:
        words = (
            "The held-out pictures disagree too much to tell whether it has learned anything that carries over "
            f"(learning between {now.learning.low:+.2f} and {now.learning.high:+.2f})."
        )
    return Finding(UNSURE, words, (now.learning, now.gap), remedy)


def copies_in_doubt(memorisation: Measured) -> bool:
    """Whether more samples may decide: more copies than chance gives and than may be, but not surely so."""
    rate, limits = memorisation["copy_rate"], Thresholds()
    least = max(limits.most_copies, memorisation["copy_chance"].value)
    return rate.value > least and not rate.low > _copies_line(memorisation, limits)


def _copies_line(memorisation: Measured, limits: Thresholds) -> float:
    return max(limits.most_copies, limits.times_chance * memorisation["copy_chance"].value)


def _less_error(now: ProbeResult) -> str:
    return f"{_percent(-math.expm1(-now.learning.value))} less error than the base model"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
