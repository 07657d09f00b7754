"""Use it at a lower strength: the gap shrinks (by 9, 25 and 50 % in eight runs), what was learned hardly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from evaluation.candidate import Candidate, from_file
from evaluation.remedies.merge import of_layers
from evaluation.remedy import Patient, Remedy

if TYPE_CHECKING:
    from backbones.backbone import Backbone


class Weaken(Remedy):
    """In the web UIs ``<lora:name:0.6>``. Learned words have no strength and are left alone."""

    strengths: tuple[float, ...] = Field((0.8, 0.6, 0.4), min_length=1)

    def candidates(self, patient: Patient, backbone: Backbone) -> list[Candidate]:  # noqa: ARG002
        if patient.learned_words:
            return []
        kind = "hypernet" if patient.hypernetwork else "lora" if of_layers(patient.file) else ""
        return [
            from_file(
                patient.file,
                strength=one,
                name=f"strength {one:g}",
                use=f"<{kind}:NAME:{one:g}> in a web UI" if kind else "",  # a whole model has no strength there
            )
            for one in self.strengths
        ]
