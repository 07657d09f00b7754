"""An adapter of peft's on the network (and the text encoder): what it trains, how it is kept, how it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backbones.backbone import Backbone, Conditioning
from backbones.tuning import Tuning
from training.adapter import Group
from training.files import Parts, write_diffusers, write_kohya, write_peft
from training.parts import NAME, drop_out, hold_down, parts_of
from training.standing import Standing
from training.timestep_rank import Clock, fewer_in_noise


@dataclass(frozen=True)
class Handling:
    """What is done with the layers beside what peft does."""

    rank_dropout: float = 0.0
    module_dropout: float = 0.0
    max_norm: float | None = None
    ratio: float = 1.0
    timestep_rank: int | None = None
    words_rate: float = 1.0
    """the text encoder's learning rate over the optimizer's"""
    words_steps: int = 0
    """after so many steps the text encoder stays as it is"""


class PeftLayers(Tuning):
    """peft's layers in place of the base's own, in some modules."""

    def __init__(self, modules: Sequence[nn.Module], *, words: bool) -> None:
        self.words, self._modules = words, list(modules)

    def layers(self) -> list[tuple[nn.Module, str, Any]]:
        """Module, path and layer of each."""
        from peft.tuners.tuners_utils import BaseTunerLayer

        return [
            (module, path, layer)
            for module in self._modules
            for path, layer in module.named_modules()
            if isinstance(layer, BaseTunerLayer)
        ]

    def switch(self, *, on: bool) -> None:
        for _, _, layer in self.layers():
            layer.enable_adapters(on)

    def remove(self) -> None:
        for module, path, layer in self.layers():
            parent, _, child = path.rpartition(".")
            setattr(module.get_submodule(parent), child, layer.base_layer)
        for module in self._modules:
            del module.peft_config
            module.requires_grad_(False)


class PeftAdapter(Standing):
    """Puts a configuration of peft's on each side, in float32 whatever the network's precision."""

    def __init__(self, backbone: Backbone, sides: Mapping[str, tuple[Any, Any]], handling: Handling) -> None:
        from peft import inject_adapter_in_model

        self.sides, self.handling = dict(sides), handling
        trained: dict[str, nn.Parameter] = {}
        for side, (module, config) in sides.items():
            inject_adapter_in_model(config, module, adapter_name=NAME)
            prefix = "" if side == "unet" else f"{side}."
            for name, parameter in module.named_parameters():
                if parameter.requires_grad:
                    parameter.data = parameter.data.float()
                    trained[f"{prefix}{name}"] = parameter
        tuning = PeftLayers([module for module, _ in sides.values()], words=len(sides) > 1)
        self._layers = [layer for _, _, layer in tuning.layers()]
        super().__init__(backbone, tuning, trained)
        for layer in self._layers:
            drop_out(layer, handling.rank_dropout, handling.module_dropout)
        self._clock = None
        if handling.timestep_rank is not None:
            self._clock = Clock(backbone.network, backbone.timesteps)
            for path, layer in backbone.network.named_modules():
                if path.endswith(f".lora_A.{NAME}"):
                    fewer_in_noise(layer, handling.timestep_rank, self._clock)

    @property
    def groups(self) -> list[Group]:
        told = tuple(f"{side}." for side in self.sides if side != "unet")
        rates: dict[float, list[nn.Parameter]] = {}
        for name, parameter in self._trained.items():
            rate = self.handling.ratio if ".lora_B." in name else 1.0
            rate *= self.handling.words_rate if name.startswith(told) else 1.0
            rates.setdefault(rate, []).append(parameter)
        return [Group(parameters, rate) for rate, parameters in rates.items()]

    def detach(self) -> None:
        super().detach()
        if self._clock is not None:
            self._clock.remove()

    def conditioning(self, captions: Sequence[str], cached: Conditioning, step: int) -> Conditioning:
        encoders = [module for side, (module, _) in self.sides.items() if side != "unet"]
        if not encoders:
            return cached
        for encoder in encoders:
            encoder.train()
        with torch.set_grad_enabled(step <= self.handling.words_steps):  # without a gradient nothing moves it
            states = self.backbone.text_states(captions)
        for encoder in encoders:
            encoder.eval()
        return {**cached, **states}

    @torch.no_grad()
    def after_step(self) -> None:
        if self.handling.max_norm is not None:
            for layer in self._layers:
                hold_down(layer, self.handling.max_norm)

    def layers(self) -> dict[str, dict[str, Parts]]:
        """What has been learned: side, path of the layer, and the tensors that LyCORIS's layout has for it."""
        from peft.tuners.tuners_utils import BaseTunerLayer

        return {
            side: {path: parts_of(layer) for path, layer in module.named_modules() if isinstance(layer, BaseTunerLayer)}
            for side, (module, _) in self.sides.items()
        }

    def begin(self, file: Path) -> str:
        from peft.tuners.tuners_utils import BaseTunerLayer

        from training.beginning import begin_layers

        mine = {
            f"{side}.{path}" if side == "unet" else f"{side}.text_model.{path.removeprefix('text_model.')}": layer
            for side, (module, _) in self.sides.items()
            for path, layer in module.named_modules()
            if isinstance(layer, BaseTunerLayer)
        }
        return begin_layers(mine, file)

    def export(self, folder: Path, metadata: Mapping[str, str]) -> None:
        layers = self.layers()
        write_kohya(folder / "kohya.safetensors", layers, metadata, self.backbone.layer_name)
        if all("lora_up.weight" in parts for parts in layers["unet"].values()):
            write_diffusers(folder / "pytorch_lora_weights.safetensors", layers, metadata)
        else:
            network, config = self.sides["unet"]
            write_peft(folder, network, config, metadata)

    @property
    def trained(self) -> Mapping[str, Tensor]:
        """The trained weights by name."""
        return self._trained
