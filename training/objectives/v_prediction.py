"""Predict v = sqrt(a_t) noise - sqrt(1 - a_t) x (Salimans and Ho 2022): what SD 2.x at 768 pixels was trained for."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from training.diffusion import Denoising

if TYPE_CHECKING:
    from torch import Tensor


class VPrediction(Denoising):
    """Mean squared error between v and what the network says it is."""

    predicts: ClassVar[str] = "v_prediction"

    @override
    def target(self, latents: Tensor, noise: Tensor, signal: Tensor, spread: Tensor) -> Tensor:
        return signal * noise - spread * latents

    @override
    def weight(self, snr: Tensor) -> Tensor:
        return snr.clamp(max=self.min_snr_gamma) / (snr + 1)
