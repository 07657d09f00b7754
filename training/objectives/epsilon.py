"""Predict the noise (Ho et al. 2020): what SD 1.x and SDXL were trained for."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from training.diffusion import Denoising

if TYPE_CHECKING:
    from torch import Tensor


class Epsilon(Denoising):
    """Mean squared error between the noise and what the network says it is."""

    predicts: ClassVar[str] = "epsilon"

    @override
    def target(self, latents: Tensor, noise: Tensor, signal: Tensor, spread: Tensor) -> Tensor:
        return noise

    @override
    def weight(self, snr: Tensor) -> Tensor:
        return snr.clamp(max=self.min_snr_gamma) / snr

    @override
    def debias(self, snr: Tensor) -> Tensor:
        return snr.clamp(max=1000).rsqrt()
