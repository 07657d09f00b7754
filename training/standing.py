"""The common way of being attached: trained weights by name, and one tuning through which they sit on the backbone."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from backbones.backbone import Backbone
from backbones.tuning import Tuning
from training.adapter import Attached, Group


class Standing(Attached):
    """All weights in one group; what is written for others, each kind says itself."""

    def __init__(self, backbone: Backbone, tuning: Tuning, trained: Mapping[str, nn.Parameter]) -> None:
        assert trained, "the adapter found no layer to go on"
        self.backbone, self._tuning, self._trained = backbone, tuning, dict(trained)
        backbone.tunings.append(tuning)

    @property
    def groups(self) -> list[Group]:
        return [Group(list(self._trained.values()))]

    def state(self) -> dict[str, Tensor]:
        return {name: parameter.detach() for name, parameter in self._trained.items()}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        for name, parameter in self._trained.items():
            parameter.copy_(state[name])

    def detach(self) -> None:
        self.backbone.drop(self._tuning)
