"""LoCon (LyCORIS, Yeh et al. 2023): LoRA on convolutions too, at a rank of their own. Reaches more, overfits sooner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from training.layered import LowRank

if TYPE_CHECKING:
    from torch import nn


class Locon(LowRank):
    """As `lora` on the transformer blocks; and on the layers of the residual, down and upsampling blocks."""

    convolution_rank: int = Field(default=4, ge=1)
    """of the residual, down and upsampling blocks' layers; half of the rank or less is usual"""
    convolution_alpha: float | None = Field(default=None, gt=0)
    """strength relative to the convolution rank; that rank itself when left out"""

    def layers(self, network: nn.Module) -> dict[str, int]:
        from training.targets import TRANSFORMERS, inside, ranked

        return ranked(
            dict.fromkeys(inside(network, TRANSFORMERS), self.rank)
            | dict.fromkeys(self.convolutions(network), self.convolution_rank),
            self.ranks,
        )

    def strength(self, network: nn.Module) -> dict[str, float]:
        from training.targets import by_part

        share = (self.convolution_alpha or self.convolution_rank) / self.convolution_rank
        own = {path: share * rank for path, rank in self.layers(network).items() if path in self.convolutions(network)}
        return by_part(super().strength(network) | own, self.alphas, "alphas")

    def convolutions(self, network: nn.Module) -> dict[str, None]:
        """Paths of the layers that have the convolution rank."""
        from training.targets import CONVOLUTIONS, inside

        return dict.fromkeys(inside(network, CONVOLUTIONS))
