"""Strength: the probe with the adapter at a fraction of its strength; where is it best used?

Learning and gap (see the probe) at each of ``strengths``. ``best_strength`` is the one with the most learning; where
full strength is not surely worse than that, full strength; otherwise the lowest of those that tie with it.

- ``learning_at_S``, ``gap_at_S``: of each strength, such as ``learning_at_0.6``.
- ``best_strength``, and ``gain``: how much more held-out learning it has than full strength, paired by picture.

Units: strength without unit, 1 as it was trained; the others the probe's.
Source: weakening an adapter moves it back to the base along a line; that a point between two networks often does
better on new pictures than either was shown for fine-tuned CLIPs (Wortsman et al. 2022, "Robust fine-tuning").

Cost: the probe's forward passes for each strength (six: 15 s of a core on the pocket base).

When it lies: it looks at held-out pictures only, and copying does not end where held-out learning peaks; adapters
without a strength (learned words) have only the one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import Field, field_validator

from core.errors import RecipeError
from evaluation.comparing import TIE, fallen
from evaluation.metric import Evidence, Figure, Measured, Metric, Need, Observation, Subject
from evaluation.metrics.probe import Probe, ProbeResult


@dataclass(frozen=True)
class StrengthResult(Measured):
    """The figures, and the probe at each strength."""

    curve: Mapping[float, ProbeResult]


class Strength(Metric):
    """Learning and gap over the adapter's strength."""

    needs: ClassVar[frozenset[Need]] = frozenset({"cases", "strengths"})

    strengths: tuple[float, ...] = Field((0.2, 0.4, 0.6, 0.8, 1.0, 1.2), min_length=1)
    """beside 0, which is the base; 1 must be among them"""
    timesteps: tuple[int, ...] = (150, 300, 500, 700)

    @field_validator("strengths")
    @classmethod
    def _full(cls, strengths: tuple[float, ...]) -> tuple[float, ...]:
        if 1.0 not in strengths or any(one <= 0 for one in strengths):
            raise ValueError("strengths: 1 must be among them, which the others are held against, and all above 0")
        return strengths

    most: int = Field(24, ge=2)
    """at most so many pictures of either side"""
    seed: int = 0

    @property
    def probe(self) -> Probe:
        return Probe(timesteps=self.timesteps, most=self.most, seed=self.seed)

    def observe(self, subject: Subject) -> Observation:
        probe = self.probe
        if subject.at is None:
            losses = probe.losses(subject.backbone, [case for _, case in probe.asked(subject.evidence)])
            return {"strengths": np.array(self.strengths), "losses": np.stack([losses] * len(self.strengths))}
        found: list[tuple[float, np.ndarray]] = []
        for strength in self.strengths:
            try:
                with subject.at(strength) as heard:
                    found.append((strength, probe.losses(subject.backbone, [case for _, case in probe.asked(heard)])))
            except RecipeError:
                if strength == 1.0:
                    raise
        return {"strengths": np.array([one for one, _ in found]), "losses": np.stack([one for _, one in found])}

    def measure(self, base: Observation, tuned: Observation, evidence: Evidence) -> StrengthResult:
        asked = self.probe.asked(evidence)
        groups, sides = [case.group or case.record for _, case in asked], [side for side, _ in asked]
        zero = np.asarray(base["losses"][0])
        curve = {
            float(strength): self.probe.compare(zero, np.asarray(losses), groups, sides)
            for strength, losses in zip(tuned["strengths"], tuned["losses"], strict=True)
        }
        best = best_strength(curve)
        full = curve.get(1.0, curve[best])
        gain = fallen(full, curve[best])
        return StrengthResult(
            (
                Figure("best_strength", best),
                Figure("gain", gain.value, gain.low, gain.high),
                *(Figure(f"learning_at_{s:g}", *_triple(one.learning)) for s, one in curve.items()),
                *(Figure(f"gap_at_{s:g}", *_triple(one.gap)) for s, one in curve.items()),
            ),
            curve,
        )


def best_strength(curve: Mapping[float, ProbeResult]) -> float:
    """Where the adapter is best used, by held-out learning; full strength unless that is surely worse."""
    best = max(curve, key=lambda strength: (curve[strength].learning.value, -strength))
    behind = {strength: fallen(one, curve[best]) for strength, one in curve.items()}
    if 1.0 in curve and not (behind[1.0].low > 0 and behind[1.0].value > TIE):
        return 1.0
    return min(s for s, one in behind.items() if s == best or (one.value < TIE and not one.low > 0))


def _triple(figure: Figure) -> tuple[float, float, float]:
    return figure.value, figure.low, figure.high
