"""Full fine-tuning while it trains: the base's own parameters with other values, and whole models as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from backbones.adapter_files import tuning_from
from backbones.backbone import Backbone
from backbones.checkpoints import original_of, single_file_of
from backbones.one_file import configs_text
from backbones.tuning import Exchanged
from core.errors import RecipeError
from training.files import hashes_of
from training.standing import Standing
from training.tensors import write_tensors

DTYPES = {"fp32": torch.float32, "fp16": torch.float16}


class FullTraining(Standing):
    """The base's values are kept beside the trained ones, for the comparison with it."""

    def __init__(self, backbone: Backbone, saved_as: str) -> None:
        original_of(backbone)  # a family that cannot be written as a whole says so
        self._dtype = DTYPES[saved_as]
        trained: dict[str, nn.Parameter] = dict(backbone.network.named_parameters())
        tuning = Exchanged({parameter: parameter.detach().float().clone() for parameter in trained.values()})
        backbone.network.requires_grad_(True)
        super().__init__(backbone, tuning, trained)

    def detach(self) -> None:
        super().detach()
        for parameter in self._trained.values():
            parameter.requires_grad_(False)
            parameter.grad = None

    @torch.no_grad()
    def begin(self, file: Path) -> str:
        """Of a whole checkpoint; its text encoder must be the base's, because that is what is written again."""
        tuning = tuning_from(self.backbone, file, 1.0)
        if not isinstance(tuning, Exchanged) or tuning.words:
            tuning.remove()
            raise RecipeError(
                f"train.start_from: {file} is no whole model with the base's own text encoder; "
                "where it has its own, name it as `base:` instead"
            )
        values = {name: parameter.detach().float().clone() for name, parameter in self._trained.items()}
        tuning.remove()
        self.restore(values)
        return ""

    def export(self, folder: Path, metadata: Mapping[str, str]) -> None:
        whole = single_file_of(self.backbone, self._dtype)
        said = {**metadata, "modelspec.architecture": self.backbone.architecture, **configs_text(self.backbone)}
        write_tensors(folder / "model.safetensors", whole, {**said, **hashes_of(whole, said)})
        self.backbone.files.write_folder(self.backbone, folder / "diffusers")
        tensors = {name: parameter.detach().to("cpu", self._dtype) for name, parameter in self._trained.items()}
        write_tensors(folder / "diffusers" / "unet" / "diffusion_pytorch_model.safetensors", tensors, {"format": "pt"})
