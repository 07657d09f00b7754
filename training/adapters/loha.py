"""LoHa (FedPara, Hyeon-Woo et al. 2022; LyCORIS): a Hadamard product of two low-rank products. Small, high in rank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from training.layered import Convolutional

if TYPE_CHECKING:
    from backbones.backbone import Backbone
    from training.peft_adapter import PeftAdapter


class Loha(Convolutional):
    """Learns W + alpha/rank * (A B) x (C D), elementwise. Wants lower ranks than LoRA: 4 to 8 is usual."""

    files: ClassVar[Mapping[str, str]] = {
        "weights": "kohya.safetensors",
        "peft": "adapter_model.safetensors",
        "peft_config": "adapter_config.json",
    }

    rank: int = Field(default=4, ge=1)
    """of each of the two products; what is learned has up to its square"""
    rank_dropout: float = Field(default=0.0, ge=0, lt=1)
    """share of the rows of what was learned that is dropped while training, in each step anew"""
    module_dropout: float = Field(default=0.0, ge=0, lt=1)
    """chance of a layer to train without what was learned for it, in each step anew"""
    max_norm: float | None = Field(default=None, gt=0)
    """what is learned of a layer is kept at or below this norm after each step; 1 is usual, null is no limit"""

    def attach(self, backbone: Backbone) -> PeftAdapter:
        from peft import LoHaConfig

        from training.peft_adapter import Handling, PeftAdapter

        config = LoHaConfig(
            **self.settings(backbone.network, "alpha"),
            rank_dropout=self.rank_dropout,
            module_dropout=self.module_dropout,
        )
        return PeftAdapter(backbone, {"unet": (backbone.network, config)}, Handling(max_norm=self.max_norm))
