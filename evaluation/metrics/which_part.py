"""Which part: what the text encoder and what the denoising network have to do with learning and gap.

The probe again, with the text encoder as the base's and with the network as the base's. What a part adds, for each
picture: ``mean_k log(L_both / L_without)``, with the same noise (see the probe).

- ``learning_from_words``, ``gap_from_words``: learning and gap that go away with the tuned text encoder.
- ``learning_from_network``, ``gap_from_network``: those that go away with the tuned network.

Units: the probe's. Where the two parts work hand in hand, their shares add up to more than the whole.
Source: ours; that the text encoder overfits first is what kohya-ss/sd-scripts#1165 asks to see.

Cost: three times the probe's forward passes. Asked where the text encoder was trained; else it is the network.

When it lies: as the probe does. A text encoder whose gap is wide and whose learning is nothing is the culprit; where
both parts have a gap, taking one away leaves the other's.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from evaluation.metric import Evidence, Figure, Measured, Metric, Need, Observation, Subject
from evaluation.metrics.probe import Probe

PARTS = ("words", "network")


class WhichPart(Metric):
    """The probe with the text encoder's part off, and with the network's part off."""

    needs: ClassVar[frozenset[Need]] = frozenset({"cases", "words"})

    timesteps: tuple[int, ...] = (150, 300, 500, 700)
    most: int = Field(24, ge=2)
    """at most so many pictures of either side"""
    seed: int = 0

    @property
    def probe(self) -> Probe:
        return Probe(timesteps=self.timesteps, most=self.most, seed=self.seed)

    def observe(self, subject: Subject) -> Observation:
        backbone, probe = subject.backbone, self.probe
        heard = [case for _, case in probe.asked(subject.evidence)]
        both = probe.losses(backbone, heard)
        plain = subject.plain
        without_words = both if plain is None else probe.losses(backbone, [case for _, case in probe.asked(plain)])
        with backbone.untuned():
            without_network = probe.losses(backbone, heard)
        return {"both": both, "words": without_words, "network": without_network}

    def measure(self, base: Observation, tuned: Observation, evidence: Evidence) -> Measured:  # noqa: ARG002
        asked = self.probe.asked(evidence)
        groups, sides = [case.group or case.record for _, case in asked], [side for side, _ in asked]
        figures = []
        for part in PARTS:
            added = self.probe.compare(
                np.asarray(tuned[part]), np.asarray(tuned["both"]), groups, sides
            )  # the base's observation says nothing here: what is compared is the tuned network with itself
            for kind in ("learning", "gap"):
                own = added[kind]
                figures.append(Figure(f"{kind}_from_{part}", own.value, own.low, own.high))
        return Measured(tuple(figures))
