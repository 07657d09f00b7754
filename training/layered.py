"""What adapters of low rank have in common: a rank and a strength for each layer of the network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from training.adapter import Adapter

if TYPE_CHECKING:
    from torch import nn

    from backbones.backbone import Backbone
    from training.adapter import Attached
    from training.peft_adapter import Handling, PeftAdapter


class Layered(Adapter):
    """On every linear layer and 1x1 convolution of the U-Net's transformer blocks, as kohya's default is."""

    rank: int = Field(default=8, ge=1)
    """more learns more and overfits sooner; 4 to 32 is usual"""
    alpha: float | None = Field(default=None, gt=0)
    """strength relative to the rank; the rank itself when left out"""
    ranks: dict[str, int] = Field(default={})
    """other ranks by part of the network, such as {mid_block: 4, up_blocks.1: 16}; 0 leaves a part out"""
    alphas: dict[str, float] = Field(default={})
    """other alphas by part of the network; elsewhere alpha is to a layer's rank what it is to the usual one"""

    @field_validator("alphas")
    @classmethod
    def _above_zero(cls, alphas: dict[str, float]) -> dict[str, float]:
        if any(alpha <= 0 for alpha in alphas.values()):
            raise ValueError("an alpha is above 0; to leave a part out, give it rank 0 in `ranks`")
        return alphas

    def layers(self, network: nn.Module) -> dict[str, int]:
        """Path and rank of each layer that it goes on."""
        from training.targets import TRANSFORMERS, inside, ranked

        return ranked(dict.fromkeys(inside(network, TRANSFORMERS), self.rank), self.ranks)

    def strength(self, network: nn.Module) -> dict[str, float]:
        """Alpha of each layer: its rank times what the recipe's alpha is to the recipe's rank."""
        from training.targets import by_part

        usual = {path: (self.alpha or self.rank) * rank / self.rank for path, rank in self.layers(network).items()}
        return by_part(usual, self.alphas, "alphas")

    def settings(self, network: nn.Module, alpha: str) -> dict[str, Any]:
        """Layers, ranks and strengths as every configuration of peft's takes them; ``alpha`` is its word for that."""
        from training.targets import patterns

        layers, strengths = self.layers(network), self.strength(network)
        usual = max(sorted(set(layers.values())), key=list(layers.values()).count)
        strength = max(sorted(set(strengths.values())), key=list(strengths.values()).count)
        return {
            "r": usual,
            alpha: strength,
            "target_modules": list(layers),
            "rank_pattern": patterns(layers, usual),
            "alpha_pattern": patterns(strengths, strength),
        }


class Convolutional(Layered):
    """As `Layered`, and on the residual, down and upsampling blocks if asked."""

    convolutions: bool = False
    """also on the layers of the residual, down and upsampling blocks"""

    def layers(self, network: nn.Module) -> dict[str, int]:
        from training.targets import CONVOLUTIONS, TRANSFORMERS, inside, ranked

        blocks = [*TRANSFORMERS, *(CONVOLUTIONS if self.convolutions else ())]
        return ranked(dict.fromkeys(inside(network, blocks), self.rank), self.ranks)


class LowRank(Layered):
    """A plain LoRA's parameters: `lora` and `locon` differ in which layers they go on."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """share of each layer's input that is dropped while training"""
    rank_dropout: float = Field(default=0.0, ge=0, lt=1)
    """share of the ranks that is dropped while training, for each example anew; against overfitting"""
    module_dropout: float = Field(default=0.0, ge=0, lt=1)
    """chance of a layer to train without what was learned for it, in each step anew"""
    max_norm: float | None = Field(default=None, gt=0)
    """what is learned of a layer is kept at or below this norm after each step; 1 is usual, null is no limit"""
    ratio: float = Field(default=1.0, gt=0)
    """LoRA+ (Hayou et al. 2024): the learning rate of B over that of A; 16 is usual there, with a lower rate"""
    timestep_rank: int | None = Field(default=None, ge=1)
    """T-LoRA (2025): so many ranks train where all is noise, all of them where there is none; against overfitting. In
    use every program takes all ranks at all timesteps"""

    def attach(self, backbone: Backbone) -> PeftAdapter:
        from peft import LoraConfig

        from training.peft_adapter import Handling, PeftAdapter

        config = LoraConfig(**self.settings(backbone.network, "lora_alpha"), lora_dropout=self.dropout)
        return PeftAdapter(backbone, {"unet": (backbone.network, config)}, self.handling(Handling()))

    def attach_with_words(self, backbone: Backbone, rate: float, steps: int) -> Attached:
        from peft import LoraConfig

        from training.peft_adapter import Handling, PeftAdapter
        from training.targets import inside

        config = LoraConfig(**self.settings(backbone.network, "lora_alpha"), lora_dropout=self.dropout)
        sides = {"unet": (backbone.network, config)}
        for name, encoder in backbone.text_encoders.items():
            told = LoraConfig(
                r=self.rank,
                lora_alpha=self.alpha or self.rank,
                lora_dropout=self.dropout,
                target_modules=inside(encoder, ("CLIPAttention", "CLIPMLP")),
            )
            sides[name] = (encoder, told)
        return PeftAdapter(backbone, sides, self.handling(Handling(words_rate=rate, words_steps=steps)))

    def handling(self, plain: Handling) -> Handling:
        """What peft's own configuration has no words for."""
        return replace(
            plain,
            rank_dropout=self.rank_dropout,
            module_dropout=self.module_dropout,
            max_norm=self.max_norm,
            ratio=self.ratio,
            timestep_rank=self.timestep_rank,
        )
