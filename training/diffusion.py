"""Noising and weighting that all denoising objectives share.

x_t = sqrt(a_t) x + sqrt(1 - a_t) noise, where a_t is the base's ``alphas_cumprod``; SNR(t) = a_t / (1 - a_t).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from pydantic import Field

from training.objective import Batch, Objective

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from backbones.backbone import Backbone
    from training.objective import Loss


class Denoising(Objective):
    """Squared error of what the network predicts at a uniformly drawn timestep."""

    min_snr_gamma: float | None = Field(default=None, gt=0)
    """Min-SNR weighting (Hang et al. 2023): timesteps with more signal than this count less; 5 is usual"""
    noise_offset: float = Field(default=0.0, ge=0)
    """adds a constant per channel to the noise, so that very dark and bright pictures can be learned; 0.05 is usual"""

    @abstractmethod
    def target(self, latents: Tensor, noise: Tensor, signal: Tensor, spread: Tensor) -> Tensor:
        """What the network should say; ``signal`` is sqrt(a_t), ``spread`` sqrt(1 - a_t)."""

    @abstractmethod
    def weight(self, snr: Tensor) -> Tensor:
        """Min-SNR's weight for each timestep."""

    def build(self, backbone: Backbone) -> Loss:
        import torch

        from training.noise import gaussian

        alphas = backbone.alphas_cumprod.double()
        signals, spreads = alphas.sqrt().float().view(-1, 1, 1, 1), (1 - alphas).sqrt().float().view(-1, 1, 1, 1)
        weights = None if self.min_snr_gamma is None else self.weight(alphas / (1 - alphas)).float()
        offset, device = self.noise_offset, backbone.device

        def loss(batch: Batch, rng: torch.Generator) -> Tensor:
            latents = batch.latents
            n = len(latents)
            t = torch.randint(len(alphas), (n,), generator=rng).to(device, non_blocking=True)
            noise = gaussian(latents.shape, rng, device)
            if offset:
                noise = noise + offset * gaussian(latents.shape[:2], rng, device)[:, :, None, None]
            signal, spread = signals[t], spreads[t]
            predicted = backbone.predict(signal * latents + spread * noise, t, batch.conditioning).float()
            errors = (predicted - self.target(latents, noise, signal, spread)).square()
            if batch.mask is not None:
                errors = errors * batch.mask
            each = errors.mean(dim=(1, 2, 3))
            if weights is not None:
                each = each * weights[t]
            if batch.importance is not None:
                each = each * batch.importance
            return each.mean()

        return loss
