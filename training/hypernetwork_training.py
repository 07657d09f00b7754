"""A hypernetwork while it trains, and the web UI's file of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from backbones.backbone import Backbone
from backbones.hypernetworks import Hypernetwork, Shape
from training.standing import Standing
from training.tensors import write_pt


class HypernetworkTraining(Standing):
    """Two networks for each width."""

    def __init__(self, backbone: Backbone, shape: Shape, widths: Sequence[int]) -> None:
        self._shape = shape
        self._nets = {width: [started(shape.build(width)).to(backbone.device) for _ in "kv"] for width in widths}
        trained = {
            f"{width}.{side}.{name}": parameter
            for width, nets in self._nets.items()
            for side, net in zip("kv", nets, strict=True)
            for name, parameter in net.named_parameters()
        }
        super().__init__(backbone, Hypernetwork(backbone.network, self._nets), trained)

    def begin(self, file: Path) -> str:
        from training.beginning import begin_hypernetwork

        return begin_hypernetwork(self._trained, self._shape, file)

    def export(self, folder: Path, metadata: Mapping[str, str]) -> None:
        shape = self._shape
        described: dict[Any, Any] = {
            width: tuple({f"linear.{name}": t.cpu() for name, t in net.state_dict().items()} for net in nets)
            for width, nets in self._nets.items()
        }
        described |= {
            "step": int(metadata.get("ss_steps", "0")),
            "name": metadata.get("ss_output_name", "velatura"),
            "layer_structure": [int(part) if part == int(part) else part for part in shape.structure],
            "activation_func": shape.activation,
            "is_layer_norm": shape.layer_norm,
            "weight_initialization": "Normal",
            "use_dropout": bool(shape.dropout),
            "dropout_structure": list(shape.dropout) or None,
            "last_layer_dropout": bool(shape.dropout),
            "activate_output": shape.activate_output,
            "sd_checkpoint": metadata.get("velatura.base_sha256", "")[:10] or None,
            "sd_checkpoint_name": None,
            "optional_info": metadata.get("velatura.train"),
        }
        write_pt(folder / "hypernetwork.pt", described)


def started(net: nn.Sequential) -> nn.Sequential:
    """Small weights as the web UI draws them; the last layer at zero, so that training starts at the base itself."""
    learned = [layer for layer in net if isinstance(layer, nn.Linear | nn.LayerNorm)]
    for layer in learned:
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.zeros_(layer.bias)
    nn.init.zeros_(learned[-1].weight)
    return net
