"""Files in the LyCORIS layout: for each layer of the network or text encoder the tensors that make its new weight."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor, nn

from backbones.lycoris import FORMULAS, retuned
from backbones.tuning import Exchanged, Tuning, between

if TYPE_CHECKING:
    from backbones.backbone import Backbone

PLAIN = {"lora_up.weight", "lora_down.weight", "alpha"}
"""of a plain LoRA, which diffusers reads itself"""
PREFIXES = ("lora_unet_", "lora_te")


def is_layers(tensors: Mapping[str, Tensor]) -> bool:
    """Whether it is of this layout and more than a plain LoRA."""
    parts = {name.partition(".")[2] for name in tensors if str(name).startswith(PREFIXES)}
    return bool(parts - PLAIN) and bool(parts & set(FORMULAS))


def from_layers(backbone: Backbone, tensors: Mapping[str, Tensor], _file: Path, strength: float) -> Tuning:
    """Exchange the weights of the layers that the file names."""
    layers: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        layer, _, part = name.partition(".")
        layers.setdefault(layer, {})[part] = tensor
    known = layers_of(backbone)
    strange = [layer for layer in layers if layer not in known]
    if strange:
        raise ValueError(f"it has no layer {strange[0]} ({len(strange)} of {len(layers)} are unknown)")
    values: dict[nn.Parameter, Tensor] = {}
    for layer, parts in layers.items():
        module = known[layer]
        weight, bias = module.weight, module.bias
        assert isinstance(weight, nn.Parameter)
        values[weight] = between(weight.data, retuned(weight, parts), strength)
        if "diff_b" in parts and isinstance(bias, nn.Parameter):
            values[bias] = between(bias.data, bias.data + parts["diff_b"].to(bias), strength)
    return Exchanged(values, words=any(layer.startswith("lora_te") for layer in layers))


def layers_of(backbone: Backbone) -> dict[str, nn.Module]:
    """Every layer with a weight, by its name in such files."""
    # also by diffusers' names where kohya has others, as for SDXL
    found = {f"lora_unet_{underscored(path)}": layer for path, layer in weighted(backbone.network)}
    for side, module in {"unet": backbone.network, **backbone.text_encoders}.items():
        found |= {backbone.layer_name(side, path): layer for path, layer in weighted(module)}
    return found


def weighted(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """Path and layer of all that have a weight of their own."""
    return [(path, layer) for path, layer in module.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]


def underscored(path: str) -> str:
    """A module's path as it stands in these files."""
    return path.replace(".", "_")
