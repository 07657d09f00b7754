"""Predict v = sqrt(a_t) noise - sqrt(1 - a_t) x (Salimans and Ho 2022): what SD 2.x at 768 pixels was trained for."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from training.diffusion import Denoising

if TYPE_CHECKING:
    from torch import Tensor

    from backbones.backbone import Backbone


class VPrediction(Denoising):
    """Mean squared error between v and what the network says it is."""

    predicts: ClassVar[str] = "v_prediction"

    zero_terminal_snr: bool = False
    """the last timestep is pure noise (Lin et al. 2024), so that dark and bright pictures can be learned; samplers must
    be told too (diffusers: rescale_betas_zero_snr). A base whose scheduler says so needs no setting here"""

    @override
    def target(self, latents: Tensor, noise: Tensor, signal: Tensor, spread: Tensor) -> Tensor:
        return signal * noise - spread * latents

    @override
    def weight(self, snr: Tensor) -> Tensor:
        return snr.clamp(max=self.min_snr_gamma) / (snr + 1)

    @override
    def debias(self, snr: Tensor) -> Tensor:
        return 1 / (snr.clamp(max=1000) + 1)

    @override
    def alphas(self, backbone: Backbone) -> Tensor:
        alphas = super().alphas(backbone)
        if not self.zero_terminal_snr:
            return alphas
        # Lin et al.'s algorithm 1: the first stays, the last becomes 0, what is between is stretched
        signal = alphas.sqrt()
        return ((signal - signal[-1]) * signal[0] / (signal[0] - signal[-1])).square()
