"""Low-rank adaptation (Hu et al. 2021): the usual way. Learns W + alpha/rank * B A beside each frozen weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from training.adapter import Adapter

if TYPE_CHECKING:
    from backbones.backbone import Backbone
    from training.peft_adapter import PeftAdapter


class Lora(Adapter):
    """On every linear layer and 1x1 convolution of the U-Net's transformer blocks, as kohya's default is."""

    rank: int = Field(default=8, ge=1)
    """more learns more and overfits sooner; 4 to 32 is usual"""
    alpha: float | None = Field(default=None, gt=0)
    """strength relative to the rank; the rank itself when left out"""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """share of each layer's input that is dropped while training"""
    convolutions: bool = False
    """also on the layers of the residual, down and upsampling blocks"""

    def attach(self, backbone: Backbone) -> PeftAdapter:
        from peft import LoraConfig

        from training.peft_adapter import PeftAdapter
        from training.targets import inside

        blocks = ["Transformer2DModel"]
        if self.convolutions:
            blocks += ["ResnetBlock2D", "Downsample2D", "Upsample2D"]
        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha or self.rank,
            lora_dropout=self.dropout,
            target_modules=inside(backbone.network, blocks),
        )
        return PeftAdapter(backbone, config)
