"""Noise magnitude: does a caption alone already pull the network towards one picture? Told from pure noise, no samples.

``m(c) = | eps(x_T, c) - eps(x_T, "") |`` (Euclidean norm) for noise x_T at a timestep near the end, the same noise
for base and tuned network; ``mean log(m_tuned / m_base)`` over the captions of each side.

- ``train``, ``held_out``: the logarithm for captions of trained and of held-out pictures.
- ``excess``: train minus held-out. Above 0: the trained captions steer more than others of their kind, which is how
  memorised prompts were told from others. Intervals by bootstrap over groups.

Units: natural logarithm of a ratio of norms; 0.1 is 10 % more.
Source: the text-conditional noise magnitude of Wen, Liu, Chen, Lyu 2024 ("Detecting, Explaining, and Mitigating
Memorization in Diffusion Models"), at its first step; here relative to the base, so that a caption's own strength (the
most of it) cancels.

Cost: two forward passes per picture and draw (24 + 12 pictures, 2 draws: 144, 2.5 s of a core on the pocket base).

When it lies: captions that stand on both sides say nothing; a trigger that all captions share raises both sides, which
is why only the excess is telling; adapters that learned without captions show nothing here and may copy all the same.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from core.errors import NotEnoughData
from evaluation.case import Case, chosen
from evaluation.intervals import deviations, group_means, interval
from evaluation.metric import Evidence, Figure, Measured, Metric, Need, Observation, Subject
from evaluation.paired import noise_of, undisturbed


class NoiseMagnitude(Metric):
    """How strongly captions steer the first step of drawing."""

    needs: ClassVar[frozenset[Need]] = frozenset({"cases"})

    timestep: int = Field(950, ge=0)
    """of pure noise; where DDIM with 20 steps begins"""
    draws: int = Field(2, ge=1)
    """noises per caption"""
    most: int = Field(24, ge=2)
    """at most so many pictures of either side"""
    seed: int = 0

    def observe(self, subject: Subject) -> Observation:
        import torch

        cases = self.asked(subject.evidence)
        if not cases:
            raise NotEnoughData("noise_magnitude needs pictures with captions; there are none")
        backbone = subject.backbone
        made = np.zeros(len(cases))
        with undisturbed(backbone):
            nothing = backbone.encode_text([""])
            t = torch.full((2 * self.draws,), min(self.timestep, backbone.timesteps - 1))
            for at, case in enumerate(cases):
                noise = torch.stack([noise_of(case, self.timestep, draw, self.seed) for draw in range(self.draws)])
                words = {
                    name: torch.cat(
                        [
                            one.to(backbone.device).expand(self.draws, *one.shape[1:])
                            for one in (own, nothing.get(name, own))
                        ]
                    )
                    for name, own in case.conditioning.items()
                }
                both = torch.cat([noise, noise]).to(backbone.device)
                told, untold = backbone.predict(both, t.to(backbone.device), words).double().cpu().chunk(2)
                made[at] = float((told - untold).flatten(1).norm(dim=1).mean())
        return {"magnitude": made}

    def asked(self, evidence: Evidence) -> list[Case]:
        """The pictures of both sides, trained ones first."""
        return [*chosen(evidence.train, self.most), *chosen(evidence.held_out, self.most)]

    def measure(self, base: Observation, tuned: Observation, evidence: Evidence) -> Measured:
        before, after = (np.maximum(one["magnitude"].astype(np.float64), 1e-12) for one in (base, tuned))
        change, figures, offs, means = np.log(after / before), [], [], []
        start = 0
        for name, side in (("train", evidence.train), ("held_out", evidence.held_out)):
            own = chosen(side, self.most)
            groups = [case.group or case.record for case in own]
            by_group = group_means(change[start : start + len(own), None], groups)
            start += len(own)
            mean = float(by_group.mean()) if len(by_group) else np.nan
            off = deviations(by_group, name, self.seed)[:, 0]
            figures.append(Figure(name, mean, *interval(mean, off)))
            means.append(mean)
            offs.append(off)
        with np.errstate(invalid="ignore"):
            excess, off = means[0] - means[1], offs[0] - offs[1]
        return Measured((*figures, Figure("excess", excess, *interval(excess, off))))
