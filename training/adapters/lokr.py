"""LoKr (KronA, Edalati et al. 2022; LyCORIS): a Kronecker product of two matrices. The smallest files of full rank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from training.layered import Convolutional

if TYPE_CHECKING:
    from backbones.backbone import Backbone
    from training.peft_adapter import PeftAdapter


class Lokr(Convolutional):
    """Learns W + A kron B; a factor that the rank is not far below is learned whole, others as low-rank products."""

    files: ClassVar[Mapping[str, str]] = {
        "weights": "kohya.safetensors",
        "peft": "adapter_model.safetensors",
        "peft_config": "adapter_config.json",
    }

    factor: int = Field(default=-1, ge=-1)
    """side of the first factor, where the layer's size can be divided by it; -1 makes both as alike as can be"""
    both: bool = False
    """also the first factor is a low-rank product, where that is smaller"""
    rank_dropout: float = Field(default=0.0, ge=0, lt=1)
    """share of the rows of what was learned that is dropped while training, in each step anew"""
    module_dropout: float = Field(default=0.0, ge=0, lt=1)
    """chance of a layer to train without what was learned for it, in each step anew"""
    max_norm: float | None = Field(default=None, gt=0)
    """what is learned of a layer is kept at or below this norm after each step; 1 is usual, null is no limit"""

    def attach(self, backbone: Backbone) -> PeftAdapter:
        from peft import LoKrConfig

        from training.peft_adapter import Handling, PeftAdapter

        config = LoKrConfig(
            **self.settings(backbone.network, "alpha"),
            decompose_factor=self.factor or -1,
            decompose_both=self.both,
            rank_dropout=self.rank_dropout,
            module_dropout=self.module_dropout,
        )
        return PeftAdapter(backbone, {"unet": (backbone.network, config)}, Handling(max_norm=self.max_norm))
