"""Full fine-tuning: every weight of the U-Net. It learns and forgets most; the file is a whole model. 1e-6 is usual."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from training.adapter import Adapter

if TYPE_CHECKING:
    from backbones.backbone import Backbone
    from training.full_training import FullTraining


class Full(Adapter):
    """No adapter at all. DreamBooth is this (or a LoRA) with `train.class_pictures`, which keep it from forgetting."""

    files: ClassVar[Mapping[str, str]] = {"weights": "model.safetensors", "diffusers": "diffusers"}

    saved_as: Literal["fp32", "fp16"] = "fp16"
    """precision of the files; training is fp32, or bf16 arithmetic on fp32 weights with `precision: bf16`"""

    def attach(self, backbone: Backbone) -> FullTraining:
        from training.full_training import FullTraining

        return FullTraining(backbone, self.saved_as)
