"""Whole checkpoints: weights of a tuned U-Net and text encoder, from a diffusers folder or from one original file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from backbones.folder import weights_of
from backbones.original import Original
from backbones.single_file import UNET
from backbones.tuning import Exchanged, Tuning, between
from core.errors import RecipeError

if TYPE_CHECKING:
    from backbones.backbone import Backbone


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by name, and whose names they are."""

    tensors: Mapping[str, Tensor]
    original: bool
    """the one file's names; else those of a diffusers folder, with the part in front: ``unet.``, ``text_encoder.``"""

    @classmethod
    def single_file(cls, tensors: Mapping[str, Tensor]) -> Checkpoint:
        return cls(tensors, original=True)

    @staticmethod
    def is_single_file(tensors: Mapping[str, Any]) -> bool:
        return any(str(name).startswith(UNET) for name in tensors)


def checkpoint_of(folder: Path) -> Checkpoint:
    """The tensors of a diffusers folder that tuning can change."""
    from safetensors.torch import load_file

    tensors: dict[str, Tensor] = {}
    for part in ("unet", "text_encoder", "text_encoder_2"):
        if part == "unet" or (folder / part).is_dir():
            for file in weights_of(folder / part)[0]:
                tensors |= {f"{part}.{name}": tensor for name, tensor in load_file(file).items()}
    return Checkpoint(tensors, original=False)


def from_checkpoint(backbone: Backbone, checkpoint: Checkpoint, strength: float) -> Tuning:
    """Exchange the network's weights, and the text encoders' where the checkpoint has others."""
    values = _tuned(backbone, checkpoint, "unet", strength)
    words: dict[nn.Parameter, Tensor] = {}
    for part in backbone.text_encoders:
        if _has(backbone, checkpoint, part):
            words |= _tuned(backbone, checkpoint, part, strength)
    # files are often of half precision; what is the base's own but for rounding is not a tuned text encoder
    changed = {p: value for p, value in words.items() if not torch.allclose(p.data, value, rtol=2e-3, atol=1e-6)}
    return Exchanged(values | changed, words=bool(changed))


def _has(backbone: Backbone, checkpoint: Checkpoint, part: str) -> bool:
    """Whether the text encoder is in the checkpoint: some hold a network only."""
    if not checkpoint.original:
        return any(key.startswith(f"{part}.") for key in checkpoint.tensors)
    return original_of(backbone).towers[part].embedding in checkpoint.tensors


def _tuned(backbone: Backbone, checkpoint: Checkpoint, part: str, strength: float) -> dict[nn.Parameter, Tensor]:
    """The checkpoint's value of each of a part's parameters."""
    config = _config(backbone, part)
    values: dict[nn.Parameter, Tensor] = {}
    for name, parameter in backbone.modules[part].named_parameters():
        if checkpoint.original:
            place = original_of(backbone).place(part, name, config)
            key, found = place.key, place.read(checkpoint.tensors[place.key])
        else:
            key = _key_in_folder(checkpoint, part, name)
            found = checkpoint.tensors[key]
        if found.shape != parameter.shape:
            raise ValueError(f"{key} is {tuple(found.shape)}, the base has {tuple(parameter.shape)}")
        found = found.to(parameter.device, parameter.dtype)
        values[parameter] = between(parameter.data, found, strength)
    return values


def _key_in_folder(checkpoint: Checkpoint, part: str, name: str) -> str:
    """Folders name a text encoder's tensors with or without the level that transformers 5.6 took out."""
    short = name.removeprefix("text_model.")
    with_level = f"{part}.text_model.{short}"
    return with_level if with_level in checkpoint.tensors else f"{part}.{name if part == 'unet' else short}"


def original_of(backbone: Backbone) -> Original:
    """How the one original file of the backbone's family is; `RecipeError` where there is none."""
    if backbone.original is None:
        raise RecipeError(f"{backbone.architecture} has no single-file checkpoints that are known here; use a folder")
    return backbone.original


def _config(backbone: Backbone, part: str) -> Mapping[str, Any]:
    config: Any = backbone.modules[part].config
    plain: Mapping[str, Any] = config.to_dict() if hasattr(config, "to_dict") else config
    return plain


def single_file_of(backbone: Backbone, dtype: torch.dtype) -> dict[str, Tensor]:
    """The backbone as it stands, under the names of the one original file."""
    original = original_of(backbone)
    tensors: dict[str, Tensor] = {}
    for part, module in backbone.modules.items():
        own = {name: parameter.detach().to("cpu", dtype) for name, parameter in module.named_parameters()}
        tensors |= original.written(part, own, _config(backbone, part))
    return tensors
