"""Whether to train again: a policy, what was trained last and what has changed since; the answer says why.

Nothing here reads or writes anything. What schedule, event and `velatura watch` ask is one and the same `decide`.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Retrain(BaseModel):
    """When changed data is trained on again. Any one of the limits is enough; `null` switches a limit off."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    new_groups: int | None = Field(default=10, ge=1, description="so many new motifs: near-duplicates count as one")
    changed: float | None = Field(
        default=0.1, gt=0, description="so many pictures came, went or changed, as a share of those trained on"
    )
    captions_edited: int | None = Field(default=20, ge=1, description="so many pictures are described in other words")
    drift: float | None = Field(
        default=None,
        gt=0,
        description="so far the mean CLIP vector has moved, as a share of the pictures' own spread; 0.05 is much",
    )
    hours: float = Field(default=0, ge=0, description="but at most one training in so many hours")


@dataclass(frozen=True, slots=True)
class Trained:
    """A training of the same recipe that was finished."""

    run: str
    """its name"""
    manifest: str
    tag: str
    """of the dataset, such as ``data-0003``"""
    ended: float
    """seconds since 1970"""


@dataclass(frozen=True, slots=True)
class Change:
    """What has become of the data since it was last trained on."""

    new_groups: int
    """groups of near-duplicates of which no picture was there"""
    changed: float
    """pictures that came, went, changed or were judged otherwise, as a share of those that were there"""
    captions_edited: int
    """pictures that are described in other words"""
    drift: float | None = None
    """squared distance of the mean CLIP vectors over the spread of the earlier ones; None: not asked for"""

    def reached(self, policy: Retrain) -> list[str]:
        """The limits that are reached, in words."""
        drift = -math.inf if self.drift is None else self.drift
        limits = [
            (policy.new_groups, self.new_groups, f"{self.new_groups} new groups"),
            (policy.changed, self.changed, f"{self.changed:.0%} of the pictures changed"),
            (policy.captions_edited, self.captions_edited, f"{self.captions_edited} captions edited"),
            (policy.drift, drift, f"the pictures drifted by {drift:.3f}"),
        ]
        return [f"{words} (limit {limit:g})" for limit, value, words in limits if limit is not None and value >= limit]

    @property
    def words(self) -> str:
        """For people."""
        drift = "" if self.drift is None else f", drift {self.drift:.3f}"
        return (
            f"{self.new_groups} new groups, {self.changed:.1%} of the pictures changed, "
            f"{self.captions_edited} captions edited{drift}"
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """Train or not, and why."""

    train: bool
    reason: str
    again_in: float | None = None
    """hours after which only time will have changed the answer; None: only other data can"""

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return asdict(self)


def decide(
    policy: Retrain, newest: str, same: Trained | None, last: Trained | None, change: Change | None, now: float
) -> Decision:
    """Whether to train on the dataset ``newest`` (its tag).

    ``same`` is a training of the same recipe on equal data, ``last`` the latest one on any, ``change`` what became of
    the data since that one; None where the store no longer has what it was trained on. ``now``: seconds since 1970.
    """
    if same is not None:
        return Decision(False, f"{newest} is trained already, with the same recipe: {same.run}")
    if last is None:
        return Decision(True, f"nothing has been trained with this recipe yet; the newest data is {newest}")
    since = f"since {last.tag} ({last.run})"
    if change is None:
        why = f"the store no longer has {last.tag}, which {last.run} was trained on, so nothing can be compared"
    else:
        reached = change.reached(policy)
        if not reached:
            return Decision(False, f"too little has changed {since}: {change.words}")
        why = f"{', '.join(reached)} {since}"
    left = policy.hours - (now - last.ended) / 3600
    if left > 0:
        return Decision(False, f"{why}, but at most one training in {policy.hours:g} hours: {left:.1f} to go", left)
    return Decision(True, f"{why}; the newest data is {newest}")
