"""Full fine-tuning while it trains: the base's own parameters with other values, and whole models as files."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from backbones.backbone import Backbone
from backbones.checkpoints import single_file_of
from backbones.tuning import Exchanged
from core.errors import RecipeError
from training.files import hashes_of
from training.standing import Standing
from training.tensors import write_tensors

DTYPES = {"fp32": torch.float32, "fp16": torch.float16}


class FullTraining(Standing):
    """The base's values are kept beside the trained ones, for the comparison with it."""

    def __init__(self, backbone: Backbone, saved_as: str) -> None:
        if backbone.architecture != "stable-diffusion-v1":
            raise RecipeError(
                f"train.adapter: full training of {backbone.architecture} cannot be written yet; use lora"
            )
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

    def export(self, folder: Path, metadata: Mapping[str, str]) -> None:
        whole = single_file_of(self.backbone, self._dtype)
        said = {**metadata, "modelspec.architecture": self.backbone.architecture}
        write_tensors(folder / "model.safetensors", whole, {**said, **hashes_of(whole, said)})
        copy_base(self.backbone.folder, folder / "diffusers")
        tensors = {name: parameter.detach().to("cpu", self._dtype) for name, parameter in self._trained.items()}
        write_tensors(folder / "diffusers" / "unet" / "diffusion_pytorch_model.safetensors", tensors, {"format": "pt"})


def copy_base(base: Path, folder: Path) -> None:
    """All of a diffusers folder but the U-Net's weights: its parts, and the files that say how they go together."""
    parts = [path for path in sorted(base.iterdir()) if path.is_dir() and any(path.glob("*config.json"))]
    for part in parts:
        left = shutil.ignore_patterns("*.safetensors", "*.bin", "*.index*.json") if part.name == "unet" else None
        shutil.copytree(part, folder / part.name, ignore=left, dirs_exist_ok=True)
    shutil.copyfile(base / "model_index.json", folder / "model_index.json")
