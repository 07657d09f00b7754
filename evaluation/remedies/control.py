"""Draw along lines with a ControlNet: what is where then comes from a guide, and not from a trained picture."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from core.hashing import digest
from core.pixels import Pixels
from core.seeding import generator
from evaluation.candidate import Candidate, from_file
from evaluation.remedy import Patient, Remedy

if TYPE_CHECKING:
    from backbones.backbone import Backbone
    from backbones.control import Control as Network


class Control(Remedy):
    """Changes samples only: what the network itself knows, learning and gap, stays as it is.

    The guides are edges of held-out pictures, white on black, another one for each seed.
    """

    model: str
    """the folder of a diffusers ControlNet for lines, of the base's architecture"""
    scale: float = Field(0.8, gt=0, le=2)
    steps: int = Field(20, ge=1)
    guidance: float = Field(4.0, ge=1)

    @cached_property
    def network(self) -> Network:
        from backbones.control import Control as Network

        return Network.load(self.model)

    def candidates(self, patient: Patient, backbone: Backbone) -> list[Candidate]:
        if not patient.guides:
            return []
        from backbones.control import fingerprint_of_control
        from backbones.encoding import fit

        self.network.check(backbone)
        side = backbone.resolution
        guides = [edges(fit(picture, side, side)) for picture in patient.guides]
        tuned = from_file(patient.file)

        def draw(own: Backbone, prompt: str, seed: int) -> Pixels:
            guide = guides[int(generator("guide", prompt, seed).integers(len(guides)))]
            return self.network.draw(
                own, [guide], [prompt], [seed], scale=self.scale, steps=self.steps, guidance=self.guidance
            )[0]

        key = digest("control", tuned.key, fingerprint_of_control(self.model), self.fingerprint, len(guides))
        return [Candidate(f"ControlNet at {self.scale:g}", key, tuned.on, draw=draw)]


def edges(picture: Pixels) -> Pixels:
    """White lines on black: where brightness changes most (Sobel), the strongest tenth of the picture."""
    grey = picture.astype(np.float64).mean(2)
    padded = np.pad(grey, 1, mode="edge")
    smooth = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    along = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    steep = np.hypot(smooth[:, 2:] - smooth[:, :-2], along[2:] - along[:-2])
    lines = steep >= max(float(np.quantile(steep, 0.9)), 40.0)
    return np.repeat((lines * 255).astype(np.uint8)[..., None], 3, 2)
