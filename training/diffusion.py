"""Noising and weighting that all denoising objectives share.

x_t = sqrt(a_t) x + sqrt(1 - a_t) noise, where a_t is the base's ``alphas_cumprod``; SNR(t) = a_t / (1 - a_t).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from training.objective import Batch, Objective

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from backbones.backbone import Backbone
    from training.chance import Rows
    from training.objective import Loss


class Denoising(Objective):
    """Squared error of what the network predicts at a uniformly drawn timestep."""

    min_snr_gamma: float | None = Field(default=None, gt=0)
    """Min-SNR weighting (Hang et al. 2023): timesteps with more signal than this count less; 5 is usual"""
    debiased: bool = False
    """Debiased weighting (Yu et al. 2024): timesteps with much noise count more; not together with min_snr_gamma"""
    huber: float | None = Field(default=None, gt=0)
    """errors above this count by their size, not its square, so that odd pictures disturb less; 0.1 is usual"""
    huber_schedule: Literal["snr", "constant"] = "snr"
    """snr: only where there is much noise is `huber` the limit, elsewhere it is near 1; constant: everywhere"""
    noise_offset: float = Field(default=0.0, ge=0)
    """adds a constant per channel to the noise, so that very dark and bright pictures can be learned; 0.05 is usual"""
    adaptive_offset: float = 0.0
    """adds this times the channel's mean in the picture to the offset's strength, which stays at 0 or above"""
    multires_levels: int = Field(default=0, ge=0, le=12)
    """adds noise of ever coarser grain, so that large areas can be learned; 6 levels are usual, 0 is none"""
    multires_discount: float = Field(default=0.3, gt=0, lt=1)
    """strength of each coarser level relative to the one before"""
    input_perturbation: float = Field(default=0.0, ge=0)
    """extra noise in what the network sees but is not asked for (Ning et al. 2023); 0.1 is usual"""

    @model_validator(mode="after")
    def _one_weighting(self) -> Denoising:
        if self.debiased and self.min_snr_gamma is not None:
            raise ValueError("debiased and min_snr_gamma are two weightings of the timesteps; leave one of them out")
        return self

    @abstractmethod
    def target(self, latents: Tensor, noise: Tensor, signal: Tensor, spread: Tensor) -> Tensor:
        """What the network should say; ``signal`` is sqrt(a_t), ``spread`` sqrt(1 - a_t)."""

    @abstractmethod
    def weight(self, snr: Tensor) -> Tensor:
        """Min-SNR's weight for each timestep."""

    @abstractmethod
    def debias(self, snr: Tensor) -> Tensor:
        """The debiased weight for each timestep."""

    def alphas(self, backbone: Backbone) -> Tensor:
        """The base's ``alphas_cumprod`` in double precision."""
        return backbone.alphas_cumprod.double()

    def build(self, backbone: Backbone) -> Loss:
        from training.chance import integers
        from training.noise import gaussian

        alphas = self.alphas(backbone)
        signals, spreads = alphas.sqrt().float().view(-1, 1, 1, 1), (1 - alphas).sqrt().float().view(-1, 1, 1, 1)
        weights, limits = self._weights(alphas), self._limits(alphas)
        device = backbone.device

        def loss(batch: Batch, rng: torch.Generator) -> Tensor:
            latents = batch.latents
            t = integers(len(alphas), len(latents), rng, batch.rows).to(device, non_blocking=True)
            noise = self._noise(latents, rng, device, batch.rows)
            signal, spread = signals[t], spreads[t]
            seen = noise
            if self.input_perturbation:
                seen = noise + self.input_perturbation * gaussian(latents.shape, rng, device, batch.rows)
            predicted = backbone.predict(signal * latents + spread * seen, t, batch.conditioning).float()
            errors = (predicted - self.target(latents, noise, signal, spread)).square()
            if limits is not None:
                limit = limits[t]
                errors = 2 * limit * ((errors + limit.square()).sqrt() - limit)
            if batch.mask is not None:
                errors = errors * batch.mask
            each = errors.mean(dim=(1, 2, 3))
            if weights is not None:
                each = each * weights[t]
            if batch.importance is not None:
                each = each * batch.importance
            return each.mean()

        return loss

    def _weights(self, alphas: Tensor) -> Tensor | None:
        """Of each timestep, or none where all count the same."""
        snr = alphas / (1 - alphas)
        if self.debiased:
            return self.debias(snr).float()
        return None if self.min_snr_gamma is None else self.weight(snr).float()

    def _limits(self, alphas: Tensor) -> Tensor | None:
        """Of each timestep, the error from which on Huber's loss is linear."""
        import torch

        if self.huber is None:
            return None
        spread = ((1 - alphas) / alphas.clamp(min=1e-12)).sqrt()
        falling = (1 - self.huber) / (1 + spread).square() + self.huber
        chosen = falling if self.huber_schedule == "snr" else torch.full_like(alphas, self.huber)
        return chosen.float().view(-1, 1, 1, 1)

    def _noise(self, latents: Tensor, rng: torch.Generator, device: str, rows: Rows | None) -> Tensor:
        """What is added to the latents, with the fields' additions."""
        from training.noise import coarser, gaussian, offset

        noise = gaussian(latents.shape, rng, device, rows)
        if self.multires_levels:
            levels, discount = self.multires_levels, self.multires_discount
            noise = coarser(noise, rng, device, levels=levels, discount=discount, rows=rows)
        if self.noise_offset or self.adaptive_offset:
            noise = noise + offset(latents, rng, device, self.noise_offset, self.adaptive_offset, rows)
        return noise
