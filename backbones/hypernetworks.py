"""Hypernetworks as the web UI has them: small networks before the keys and values of every attention layer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from backbones.tuning import Tuning

if TYPE_CHECKING:
    from backbones.backbone import Backbone

DESCRIPTION = "velatura.hypernetwork"
"""where a safetensors file's metadata says how the networks are built, as JSON with the web UI's words"""
FLAT = re.compile(r"\d+\.[kv]\.linear\d?\..+")
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leakyrelu": nn.LeakyReLU,
    "elu": nn.ELU,
    "swish": nn.Hardswish,  # as the web UI's table has it
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softsign": nn.Softsign,
}
"""by the names that the web UI writes into its files; ``linear`` is none"""


@dataclass(frozen=True)
class Shape:
    """How each of the small networks is built; the same for all."""

    structure: tuple[float, ...] = (1, 2, 1)
    """widths of the layers, as multiples of the attention's own; begins and ends with 1"""
    activation: str = "linear"
    layer_norm: bool = False
    dropout: tuple[float, ...] = ()
    """after each layer, as many as the structure has numbers; the first and the last are 0"""
    activate_output: bool = False

    def build(self, width: int) -> nn.Sequential:
        """One network. The web UI counts all entries of the sequence in the weights' names, so their order matters."""
        layers: list[nn.Module] = []
        last = len(self.structure) - 2
        for number, (before, after) in enumerate(zip(self.structure[:-1], self.structure[1:], strict=True)):
            layers.append(nn.Linear(int(width * before), int(width * after)))
            if self.activation != "linear" and (number < last or self.activate_output):
                layers.append(ACTIVATIONS[self.activation]())
            if self.layer_norm:
                layers.append(nn.LayerNorm(int(width * after)))
            if self.dropout and self.dropout[number + 1] > 0:
                layers.append(nn.Dropout(self.dropout[number + 1]))
        return nn.Sequential(*layers)


class Hypernetwork(Tuning):
    """y = x + strength * net(x) on the inputs of keys and values; which net, the input's width says."""

    def __init__(self, network: nn.Module, nets: Mapping[int, Sequence[nn.Module]], strength: float = 1.0) -> None:
        self.strength, self._on = strength, True
        self._hooks = []
        for _, attention in attentions(network):
            for net, part in zip(nets.get(width_of(attention), ()), ("to_k", "to_v"), strict=False):
                self._hooks.append(getattr(attention, part).register_forward_pre_hook(self._hook(net)))
        if not self._hooks:
            raise ValueError(f"no attention layer has one of its widths ({', '.join(map(str, sorted(nets)))})")

    def _hook(self, net: nn.Module) -> Any:
        def before(layer: nn.Module, given: tuple[Tensor]) -> tuple[Tensor] | None:
            if not self._on:
                return None
            (x,) = given
            net.train(layer.training)
            learned = net(x.float() if not torch.is_autocast_enabled(x.device.type) else x)
            return (x + self.strength * learned.to(x.dtype),)

        return before

    def switch(self, *, on: bool) -> None:
        self._on = on

    def remove(self) -> None:
        for hook in self._hooks:
            hook.remove()


def attentions(network: nn.Module) -> list[tuple[str, Any]]:
    """The attention layers of the network's transformer blocks."""
    from diffusers.models.attention_processor import Attention

    return [(path, layer) for path, layer in network.named_modules() if isinstance(layer, Attention)]


def width_of(attention: Any) -> int:
    """Of what its keys and values are made from: the text's width in cross-attention, the picture's in the others."""
    return int(attention.to_k.in_features)


def widths_of(network: nn.Module) -> list[int]:
    """All widths of a base, each once, sorted: 320, 640, 768 and 1280 of SD 1.5."""
    return sorted({width_of(attention) for _, attention in attentions(network)})


def is_hypernetwork(tensors: Mapping[str, Any]) -> bool:
    """Whether it is a web UI's hypernetwork (networks under their widths, as numbers), or our layout of the same."""
    return any(isinstance(name, int) or FLAT.fullmatch(name) for name in tensors)


def flat_networks(tensors: Mapping[Any, Any]) -> dict[str, Tensor]:
    """All tensors by names that a safetensors file can have: ``320.k.linear.0.weight``."""
    flat = {name: tensor for name, tensor in tensors.items() if isinstance(name, str) and FLAT.fullmatch(name)}
    for width, states in tensors.items():
        if isinstance(width, int):
            for side, state in zip("kv", states[:2], strict=True):
                flat |= {f"{width}.{side}.{name}": tensor for name, tensor in state.items()}
    return flat


def by_width(flat: Mapping[str, Tensor]) -> dict[int, tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """The opposite: width -> the tensors for keys and for values, as the web UI has them."""
    widths: dict[int, tuple[dict[str, Tensor], dict[str, Tensor]]] = {}
    for name, tensor in flat.items():
        width, side, inner = name.split(".", 2)
        widths.setdefault(int(width), ({}, {}))["kv".index(side)][inner] = tensor
    return widths


def description_of(tensors: Mapping[Any, Any], file: Path) -> dict[str, Any]:
    """How the networks are built and what else the file says: beside the tensors in a .pt, else in its metadata."""
    if file.suffix != ".safetensors":
        return {name: value for name, value in tensors.items() if isinstance(name, str)}
    from safetensors import safe_open

    with safe_open(file, framework="pt") as opened:
        found = json.loads((opened.metadata() or {}).get(DESCRIPTION, "{}"))
    if not isinstance(found, dict):
        raise ValueError(f"its metadata {DESCRIPTION} is no description of a hypernetwork")
    return found


def from_hypernetwork(backbone: Backbone, tensors: Mapping[str, Any], file: Path, strength: float) -> Tuning:
    """Build the networks that the file describes and put them on."""
    shape = shape_of(description_of(tensors, file))
    nets = {
        width: [_loaded(shape, width, state).to(backbone.device).eval() for state in states]
        for width, states in by_width(flat_networks(tensors)).items()
    }
    return Hypernetwork(backbone.network, nets, strength)


def _loaded(shape: Shape, width: int, state: Mapping[str, Tensor]) -> nn.Module:
    net = shape.build(width)
    # the web UI's first files had two layers only, called linear1 and linear2
    renamed = {f"linear.{int(name[6]) - 1}.{name[8:]}": state[name] for name in state if name[:8] in OLD}
    net.load_state_dict({name.removeprefix("linear."): t.float() for name, t in (renamed or state).items()})
    return net.requires_grad_(False)


OLD = ("linear1.", "linear2.")


def shape_of(described: Mapping[str, Any]) -> Shape:
    """How the networks of a web UI's file are built, with its defaults where the file is silent."""
    structure = tuple(described.get("layer_structure") or (1, 2, 1))
    activation = described.get("activation_func") or "linear"
    if activation not in {*ACTIVATIONS, "linear"}:
        raise ValueError(f"its activation {activation!r} is not known; known: linear, {', '.join(ACTIVATIONS)}")
    if described.get("dropout_structure"):
        dropout = tuple(described["dropout_structure"])
    elif described.get("use_dropout"):
        inner = (0.3,) * (len(structure) - 3)
        dropout = (0.0, *inner, 0.3 if described.get("last_layer_dropout") else 0.0, 0.0)
    else:
        dropout = ()
    return Shape(
        structure,
        activation,
        bool(described.get("is_layer_norm", False)),
        dropout,
        bool(described.get("activate_output", True)),
    )
