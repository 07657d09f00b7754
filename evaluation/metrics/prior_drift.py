"""Prior drift: how much the tuned network has forgotten of what the base could do.

On pictures that the base itself made from ordinary prompts, noised at one low timestep (150) with the same noise:
``drift = mean (prediction_tuned - prediction_base)^2``, ``relative = drift / L_base`` with L_base the base's own mean
square error there, and ``rho = mean log(L_tuned / L_base)``. Intervals by bootstrap over pictures.

Units: drift in squared units of the noise (or of v); relative without unit, so that bases can be compared: at 1 the
tuned network differs from the base by as much as the base errs; rho as in the probe, positive is forgetting.
On the first pocket base, DreamBooth of one subject: relative 1.9 without and 0.3 with prior preservation.

Source: the loss that DreamBooth's prior preservation holds down (Ruiz et al. 2023), measured instead of trained on.

Cost: one forward pass per picture (16: about a second of a core on the pocket base), and once the base's samples.

When it lies: a style that is meant to reach every prompt drifts by intention; the prompts must not contain the trigger
word; it looks at low noise, so a change of composition alone shows less than one of texture and colour.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from core.errors import NotEnoughData
from evaluation.intervals import deviations, group_means, interval
from evaluation.metric import Evidence, Figure, Measured, Metric, Need, Observation, Subject
from evaluation.paired import answers


class PriorDrift(Metric):
    """Change of the prediction on pictures that the base made."""

    needs: ClassVar[frozenset[Need]] = frozenset({"prior"})

    timestep: int = Field(150, ge=0)
    """60 to 500 tell most; from 900 on nothing"""
    seed: int = 0

    def observe(self, subject: Subject) -> Observation:
        if not subject.evidence.prior:
            raise NotEnoughData("prior_drift needs pictures that the base made; there are none")
        said = list(answers(subject.backbone, subject.evidence.prior, [self.timestep], seed=self.seed))
        return {
            "losses": np.array([float((p.double() - target.double()).square().mean()) for p, target in said]),
            "predicted": np.concatenate([p.flatten().numpy() for p, _ in said]),
            "ends": np.cumsum([p.numel() for p, _ in said]),
        }

    def measure(self, base: Observation, tuned: Observation, evidence: Evidence) -> Measured:
        square = (tuned["predicted"].astype(np.float64) - base["predicted"].astype(np.float64)) ** 2
        change = np.array([one.mean() for one in np.split(square, base["ends"][:-1].astype(int))])
        base_loss, tuned_loss = (np.maximum(o["losses"].astype(np.float64), 1e-300) for o in (base, tuned))
        columns = np.column_stack([change, change / base_loss.mean(), np.log(tuned_loss / base_loss)])
        columns = group_means(columns, [case.group or case.record for case in evidence.prior])
        off = deviations(columns, "prior_drift", self.seed)
        return Measured(
            tuple(
                Figure(name, float(mean), *interval(float(mean), off[:, at]))
                for at, (name, mean) in enumerate(zip(("drift", "relative", "rho"), columns.mean(0), strict=True))
            )
        )
