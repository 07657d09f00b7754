"""Whole checkpoints: weights of a tuned U-Net and text encoder, from a diffusers folder or from one original file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from backbones.folder import weights_of
from backbones.single_file import TEXT, UNET, text_name, unet_name, vae_name
from backbones.tuning import Exchanged, Tuning, between

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
    for part in ("unet", "text_encoder"):
        if part == "unet" or (folder / part).is_dir():
            for file in weights_of(folder / part)[0]:
                tensors |= {f"{part}.{name}": tensor for name, tensor in load_file(file).items()}
    return Checkpoint(tensors, original=False)


def from_checkpoint(backbone: Backbone, checkpoint: Checkpoint, strength: float) -> Tuning:
    """Exchange the network's weights, and the text encoder's where the checkpoint has others."""
    values: dict[nn.Parameter, Tensor] = {}
    for name, parameter in backbone.network.named_parameters():
        key = network_name(backbone, name) if checkpoint.original else f"unet.{name}"
        values[parameter] = _tuned(checkpoint, key, parameter, strength)
    words = {}
    if any(key.startswith((TEXT, "text_encoder.")) for key in checkpoint.tensors):
        for name, parameter in text_parameters(backbone):
            key = text_name(name) if checkpoint.original else _text_key(checkpoint, name)
            words[parameter] = _tuned(checkpoint, key, parameter, strength)
    # files are often of half precision; what is the base's own but for rounding is not a tuned text encoder
    changed = {p: value for p, value in words.items() if not torch.allclose(p.data, value, rtol=2e-3, atol=1e-6)}
    return Exchanged(values | changed, words=bool(changed))


def _text_key(checkpoint: Checkpoint, name: str) -> str:
    """Folders name a text encoder's tensors with or without the level that transformers 5.6 took out."""
    short = name.removeprefix("text_model.")
    with_level = f"text_encoder.text_model.{short}"
    return with_level if with_level in checkpoint.tensors else f"text_encoder.{short}"


def _tuned(checkpoint: Checkpoint, key: str, parameter: nn.Parameter, strength: float) -> Tensor:
    found = checkpoint.tensors[key].to(parameter.device)
    if found.shape != parameter.shape:
        raise ValueError(f"{key} is {tuple(found.shape)}, the base has {tuple(parameter.shape)}")
    return between(parameter.data, found.to(parameter.dtype), strength)


def text_parameters(backbone: Backbone) -> list[tuple[str, nn.Parameter]]:
    """Of the first text encoder: the only one that Stable Diffusion 1.x has."""
    return list(next(iter(backbone.text_encoders.values())).named_parameters())


def network_name(backbone: Backbone, name: str) -> str:
    """A U-Net tensor's name in the one file."""
    config: Any = backbone.network.config
    return unet_name(name, int(config.layers_per_block), lambda block: "CrossAttn" in config.up_block_types[block])


def single_file_of(backbone: Backbone, dtype: torch.dtype) -> dict[str, Tensor]:
    """The backbone as it stands, under the names of the one original file."""
    tensors = {network_name(backbone, name): p for name, p in backbone.network.named_parameters()}
    blocks = len(backbone.vae.config.block_out_channels)
    for name, parameter in backbone.vae.named_parameters():
        named = vae_name(name, blocks)
        # the original's attention layers are 1x1 convolutions
        convolution = ".attn_1." in named and parameter.dim() == 2
        tensors[named] = parameter[:, :, None, None] if convolution else parameter
    tensors |= {text_name(name): parameter for name, parameter in text_parameters(backbone)}
    return {name: tensor.detach().to("cpu", dtype) for name, tensor in tensors.items()}
