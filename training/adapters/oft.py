"""OFT (Qiu et al. 2023): turns the outputs of each layer, block by block, and keeps their lengths. Hard to overfit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from training.adapter import Adapter

if TYPE_CHECKING:
    from backbones.backbone import Backbone
    from training.rotations import Rotations


class Oft(Adapter):
    """W' = R W with an orthogonal R of blocks, as LyCORIS's diag-oft and kohya's OFT have it."""

    files: ClassVar[Mapping[str, str]] = {"weights": "kohya.safetensors"}

    block_size: int = Field(default=8, ge=2)
    """side of the blocks that are turned, or the next smaller number that divides the layer; more learns more"""
    constraint: float = Field(default=0.0, ge=0)
    """limit on how far blocks turn, per output of the layer; 0 is no limit"""
    convolutions: bool = False
    """also on the layers of the residual, down and upsampling blocks"""

    def attach(self, backbone: Backbone) -> Rotations:
        from training.rotations import Rotations
        from training.targets import CONVOLUTIONS, TRANSFORMERS, inside

        blocks = [*TRANSFORMERS, *(CONVOLUTIONS if self.convolutions else ())]
        return Rotations(backbone, inside(backbone.network, blocks), self.block_size, self.constraint)
