"""OFT's learned rotations on the outputs of layers: no layer is replaced, each output is turned as it comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backbones.backbone import Backbone
from backbones.lycoris import rotation
from backbones.tuning import Tuning
from training.files import write_kohya
from training.standing import Standing


class Turned(Tuning):
    """The hooks."""

    def __init__(self, layers: Mapping[str, Any], blocks: Mapping[str, nn.Parameter], constraint: float) -> None:
        self._on, self._constraint = True, constraint
        self._hooks = [layer.register_forward_hook(self._hook(blocks[path])) for path, layer in layers.items()]

    def _hook(self, blocks: nn.Parameter) -> Any:
        def after(layer: Any, _given: object, out: Tensor) -> Tensor | None:
            if not self._on:
                return None
            channel = 1 if isinstance(layer, nn.Conv2d) else -1
            limit = self._constraint * blocks.shape[0] * blocks.shape[1]
            one = torch.eye(blocks.shape[-1], device=blocks.device)
            turn = rotation(blocks, limit) - one  # only the change, so that none is exactly the base
            moved = out.transpose(channel, -1)
            bare = moved if layer.bias is None else moved - layer.bias
            split = bare.float().unflatten(-1, tuple(blocks.shape[:2]))
            added = torch.einsum("k n m, ... k n -> ... k m", turn, split).flatten(-2).to(out.dtype)
            return out + added.transpose(channel, -1)

        return after

    def switch(self, *, on: bool) -> None:
        self._on = on

    def remove(self) -> None:
        for hook in self._hooks:
            hook.remove()


def side_of(outputs: int, wanted: int) -> int:
    """The largest side of blocks up to ``wanted`` that divides the outputs."""
    return next(side for side in range(min(wanted, outputs), 0, -1) if outputs % side == 0)


class Rotations(Standing):
    """Blocks for each of some layers, trained in float32."""

    def __init__(self, backbone: Backbone, paths: Sequence[str], block_size: int, constraint: float) -> None:
        layers = {path: backbone.network.get_submodule(path) for path in paths}
        blocks = {}
        for path, layer in layers.items():
            outputs = layer.weight.shape[0]  # type: ignore[index, union-attr]
            side = side_of(int(outputs), block_size)
            blocks[path] = nn.Parameter(torch.zeros(int(outputs) // side, side, side, device=backbone.device))
        self._constraint = constraint
        super().__init__(backbone, Turned(layers, blocks, constraint), blocks)

    def begin(self, file: Path) -> str:
        from training.beginning import begin_rotations

        return begin_rotations(self._trained, self._constraint, file)

    def export(self, folder: Path, metadata: Mapping[str, str]) -> None:
        alpha = torch.tensor(self._constraint)
        layers = {path: {"oft_blocks": blocks.detach().cpu(), "alpha": alpha} for path, blocks in self._trained.items()}
        write_kohya(folder / "kohya.safetensors", {"unet": layers}, metadata, self.backbone.layer_name)
