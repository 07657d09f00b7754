"""DoRA (Liu et al. 2024): LoRA that learns direction and length of weights apart. Slower; more at a low rank."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from training.layered import Convolutional

if TYPE_CHECKING:
    from backbones.backbone import Backbone
    from training.peft_adapter import PeftAdapter


class Dora(Convolutional):
    """W' = m (W + alpha/rank * B A) / |W + alpha/rank * B A|, with a learned length m for each row."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """share of each layer's input that is dropped while training"""
    ratio: float = Field(default=1.0, gt=0)
    """LoRA+ (Hayou et al. 2024): the learning rate of B over that of A; 16 is usual there, with a lower rate"""

    def attach(self, backbone: Backbone) -> PeftAdapter:
        from peft import LoraConfig

        from training.peft_adapter import Handling, PeftAdapter

        settings = self.settings(backbone.network, "lora_alpha")
        config = LoraConfig(**settings, lora_dropout=self.dropout, use_dora=True)
        return PeftAdapter(backbone, {"unet": (backbone.network, config)}, Handling(ratio=self.ratio))
