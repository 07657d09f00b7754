"""An adapter of peft's on the network: what it trains, how it is kept, how it is written for others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backbones.backbone import Backbone
from training.adapter import Attached, Group
from training.files import LowRank, write_diffusers, write_kohya

NAME = "learned"


class PeftAdapter(Attached):
    """Puts a peft configuration on the backbone's network, in float32 whatever the network's precision."""

    def __init__(self, backbone: Backbone, config: Any) -> None:
        network: Any = backbone.network
        self.network = network
        self.network.add_adapter(config, adapter_name=NAME)
        self._trained = {name: p for name, p in self.network.named_parameters() if p.requires_grad}
        assert self._trained, "the adapter found no layer to go on"
        for parameter in self._trained.values():
            parameter.data = parameter.data.float()

    @property
    def groups(self) -> list[Group]:
        return [Group(list(self._trained.values()))]

    def state(self) -> dict[str, Tensor]:
        return {name: parameter.detach() for name, parameter in self._trained.items()}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        for name, parameter in self._trained.items():
            parameter.copy_(state[name])

    def layers(self) -> dict[str, LowRank]:
        """What has been learned, by the path of the layer that it sits on."""
        found = {}
        for path, layer in self.network.named_modules():
            if hasattr(layer, "lora_A") and NAME in layer.lora_A:
                down, up = layer.lora_A[NAME].weight.detach(), layer.lora_B[NAME].weight.detach()
                found[path] = LowRank(down.cpu(), up.cpu(), float(layer.lora_alpha[NAME]))
        return found

    def export(self, folder: Path, metadata: Mapping[str, str]) -> None:
        layers = self.layers()
        write_kohya(folder / "kohya.safetensors", layers, metadata)
        write_diffusers(folder / "pytorch_lora_weights.safetensors", layers, metadata)

    def detach(self) -> None:
        self.network.delete_adapters(NAME)
        if not getattr(self.network, "peft_config", None):
            self.network.unload_lora()
        self.network.requires_grad_(False)
