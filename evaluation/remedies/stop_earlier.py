"""Take an earlier checkpoint of the same run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from evaluation.candidate import Candidate, from_file
from evaluation.remedy import Patient, Remedy

if TYPE_CHECKING:
    from backbones.backbone import Backbone


class StopEarlier(Remedy):
    """Checkpoints before the one that is to be helped, the latest first."""

    most: int = Field(4, ge=1)
    """how many are tried"""

    def candidates(self, patient: Patient, backbone: Backbone) -> list[Candidate]:  # noqa: ARG002
        earlier = sorted((step for step in patient.checkpoints if 0 < step < patient.step), reverse=True)
        files = patient.checkpoints
        return [from_file(files[step], name=f"step {step}", use=str(files[step])) for step in earlier[: self.most]]
