"""Adapters as tests here use them: with what must be given, moved away from where they start, and asked."""

import torch

from backbones.backbone import Backbone
from training.adapter import Adapter, Attached

X = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3))
NEEDED: dict[str, dict[str, object]] = {"textual_inversion": {"word": "qzx"}}
"""keys that have no default"""
RICH: dict[str, dict[str, object]] = {
    "lora": {"rank": 4, "alpha": 2.0, "ranks": {"mid_block": 2, "up_blocks.3": 0}, "convolutions": True},
    "locon": {"rank": 4, "alpha": 2.0, "convolution_rank": 2, "convolution_alpha": 3.0},
    "dora": {"rank": 3, "alpha": 6.0, "convolutions": True},
    "loha": {"rank": 3, "alpha": 6.0, "convolutions": True, "ranks": {"mid_block": 2}},
    "lokr": {"rank": 2, "alpha": 1.0, "both": True, "convolutions": True},
    "oft": {"block_size": 6, "constraint": 0.02, "convolutions": True},
    "textual_inversion": {"word": "qzx", "initial": "a red house", "vectors": 4},
    "hypernetwork": {"structure": [1, 2, 1.5, 1], "activation": "relu", "layer_norm": True, "dropout": 0.3},
    "full": {"saved_as": "fp32"},
}
"""with as many of their keys as change the file"""


def made(kind: str, keys: dict[str, dict[str, object]] = NEEDED) -> Adapter:
    return Adapter.parse({"kind": kind, **keys.get(kind, {})})


@torch.no_grad()
def answer(base: Backbone) -> torch.Tensor:
    base.network.eval()
    return base.predict(X, torch.tensor([100, 700]), base.encode_text(["a qzx", "b"]))


def disturb(parameters: list[torch.nn.Parameter], by: float = 0.05) -> None:
    rng = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in parameters:
            parameter += by * torch.randn(parameter.shape, generator=rng)


def weights(adapter: Attached) -> list[torch.nn.Parameter]:
    return [parameter for group in adapter.groups for parameter in group.parameters]
