"""Probe: what was learned of pictures never trained on, and how much better the trained ones are known (the gap).

For a picture x and timesteps k, with the same noise for base and tuned network,
``rho(x) = mean_k log(L_tuned(x, k) / L_base(x, k))``, where L is the mean square error of the prediction.
``learning = -mean rho`` over held-out pictures; ``gap = mean rho (held-out) - mean rho (train)``. Both means are over
groups of near-duplicates, each one vote; intervals by bootstrap over groups.

Units: natural logarithm of a ratio of losses. Learning of 0.1: held-out pictures are predicted with 10 % less error
than by the base; below 0: worse than by the base. A gap of 0.1: 10 % of the error on trained pictures went away by
heart, not by understanding. Epsilon and v-prediction give the same rho: their errors differ by a factor that cancels.

Source: paired and relative to the base here; the loss of members against non-members goes back to membership
inference (Yeom et al. 2018; for diffusion Matsumoto et al. 2023, Carlini et al. 2023).

Cost: pictures x timesteps forward passes, no samples. 24 + 10 pictures at 4 timesteps: 136, 2.4 CPU seconds of a busy
core on the pocket base.

When it lies: where held-out pictures are near-duplicates of trained ones that grouping missed (gap too small), where
the two sides are of different kinds (a gap that is not overfitting: see how it stands at step 0, where it is zero, and
how it grows), where augmented pictures stand on one side only, and on captions that were seen with other pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from evaluation.case import Case, chosen
from evaluation.intervals import deviations, group_means, interval
from evaluation.metric import Evidence, Figure, Measured, Metric, Need, Observation, Subject
from evaluation.paired import answers

if TYPE_CHECKING:
    from backbones.backbone import Backbone

Side = Literal["train", "held_out"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ProbeResult(Measured):
    """The figures, and the rho of each picture behind them."""

    timesteps: tuple[int, ...]
    rho: Floats
    """(n,) of each picture"""
    groups: tuple[str, ...]
    side: tuple[Side, ...]

    @property
    def learning(self) -> Figure:
        return self["learning"]

    @property
    def gap(self) -> Figure:
        return self["gap"]

    @property
    def train_learning(self) -> Figure:
        """-mean rho over the trained pictures."""
        return self["train_learning"]

    @property
    def learning_at(self) -> tuple[Figure, ...]:
        """By timestep."""
        return tuple(self[f"learning_t{t}"] for t in self.timesteps)

    @property
    def gap_at(self) -> tuple[Figure, ...]:
        return tuple(self[f"gap_t{t}"] for t in self.timesteps)

    @property
    def z(self) -> float:
        """The gap in units of its own uncertainty; NaN where that is unknown."""
        return self["gap_z"].value

    def count(self, side: Side) -> int:
        """How many groups stand on this side."""
        return len({group for group, own in zip(self.groups, self.side, strict=True) if own == side})

    def held_out_means(self) -> Floats:
        """Mean rho of each held-out group, sorted by name: what two checkpoints are compared on, pair by pair."""
        own = np.array([side == "held_out" for side in self.side], bool)
        return group_means(self.rho[own], [g for g, mine in zip(self.groups, own, strict=True) if mine])


class Probe(Metric):
    """Loss against the base's on fixed noise, for trained and held-out pictures."""

    needs: ClassVar[frozenset[Need]] = frozenset({"cases"})

    timesteps: tuple[int, ...] = (150, 300, 500, 700)
    """where one tells most; the ends (20, 900) say little"""
    draws: int = Field(1, ge=1)
    """noises per picture and timestep; 4 raised z from 4.6 to 5.7 at t = 500 (first pocket base) at 4 times the cost"""
    most: int = Field(24, ge=2)
    """at most so many pictures of either side, those of different groups first"""
    share: float = Field(0.08, gt=0, le=1)
    """of training time, about: in pauses fewer pictures are looked at where they would take more; the end has all"""
    seed: int = 0

    def observe(self, subject: Subject) -> Observation:
        return {"losses": self.losses(subject.backbone, [case for _, case in self.asked(subject.evidence)])}

    def measure(self, base: Observation, tuned: Observation, evidence: Evidence) -> ProbeResult:
        asked = self.asked(evidence)
        groups = [case.group or case.record for _, case in asked]
        return self.compare(base["losses"], tuned["losses"], groups, [side for side, _ in asked])

    def asked(self, evidence: Evidence) -> list[tuple[Side, Case]]:
        """The pictures of both sides, chosen in the same way."""
        train = [("train", case) for case in chosen(evidence.train, self.most)]
        held_out = [("held_out", case) for case in chosen(evidence.held_out, self.most)]
        return [*train, *held_out]  # type: ignore[list-item]

    def losses(self, backbone: Backbone, cases: Sequence[Case]) -> Floats:
        """(n cases, k timesteps): mean square error of the prediction, mean over the draws."""
        made = np.zeros((len(cases), len(self.timesteps)))
        asked = answers(backbone, cases, self.timesteps, draws=self.draws, seed=self.seed)
        for row, (predicted, target) in zip(made, asked, strict=True):
            square = (predicted.double() - target.double()).square().flatten(1).mean(1)
            row[:] = square.view(len(self.timesteps), self.draws).mean(1).numpy()
        return made

    def compare(
        self, base: NDArray[np.generic], tuned: NDArray[np.generic], groups: Sequence[str], side: Sequence[Side]
    ) -> ProbeResult:
        """Figures from two (n, k) arrays of losses over the same pictures."""
        tiny = np.finfo(np.float64).tiny
        by_timestep = np.log(np.maximum(tuned, tiny)) - np.log(np.maximum(base, tiny))
        # one column per timestep and their mean in front: all figures from the same resampled groups
        rho = np.column_stack([by_timestep.mean(1), by_timestep]).astype(np.float64)
        names = ["", *(f"_t{t}" for t in self.timesteps)]
        sides = np.asarray(side, dtype=object)
        means, offs = {}, {}
        for one in ("train", "held_out"):
            own = sides == one
            by_group = group_means(rho[own], [g for g, mine in zip(groups, own, strict=True) if mine])
            means[one] = by_group.mean(0) if len(by_group) else np.full(len(names), np.nan)
            offs[one] = deviations(by_group, one, self.seed)
        with np.errstate(invalid="ignore"):  # a side of one group is infinitely unsure, and so is the difference
            gap_off = offs["held_out"] - offs["train"]
        figures = []
        for kind, value, off in (
            ("learning", -means["held_out"], -offs["held_out"]),
            ("gap", means["held_out"] - means["train"], gap_off),
            ("train_learning", -means["train"], -offs["train"]),
        ):
            for at, name in enumerate(names):
                estimate = float(value[at]) + 0.0  # never -0.0
                figures.append(Figure(kind + name, estimate, *interval(estimate, off[:, at])))
        off = gap_off[:, 0]
        z = figures[len(names)].value / off.std() if np.isfinite(off).all() and off.any() else np.nan
        return ProbeResult((*figures, Figure("gap_z", float(z))), self.timesteps, rho[:, 0], tuple(groups), tuple(side))
