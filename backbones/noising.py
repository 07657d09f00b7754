"""What is between a picture and noise, and the way back: diffusion's law. Flow matching is another class like this."""

from __future__ import annotations

from typing import Any

from torch import Tensor


class Diffusing:
    """x_t = sqrt(a_t) x + sqrt(1 - a_t) noise, a_t being ``alphas_cumprod``; asked for the noise, or for v."""

    prediction_type: str
    """``epsilon`` or ``v_prediction``"""
    alphas_cumprod: Tensor
    """(timesteps,) float32 on the device"""
    scheduler_config: dict[str, Any]
    device: str

    @property
    def timesteps(self) -> int:
        """How many noise levels there are."""
        return len(self.alphas_cumprod)

    def noised(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What is between clean latents and noise (n, c, h, w) at timesteps (n,): x_t."""
        signal, spread = self._scales(clean, timesteps)
        return signal * clean + spread * noise

    def target(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What `Backbone.predict` should say of it."""
        if self.prediction_type == "epsilon":
            return noise
        assert self.prediction_type == "v_prediction", self.prediction_type
        signal, spread = self._scales(clean, timesteps)
        return signal * noise - spread * clean

    def _scales(self, clean: Tensor, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        alpha = self.alphas_cumprod.to(clean.device).float()[timesteps.to(clean.device)].view(-1, 1, 1, 1)
        return alpha.sqrt(), (1 - alpha).sqrt()

    def sampler(self, steps: int) -> Any:
        """A scheduler of diffusers' over ``steps`` of the base's own timesteps: DDIM, or what suits the family."""
        from diffusers import DDIMScheduler

        scheduler = DDIMScheduler.from_config(self.scheduler_config, clip_sample=False)
        scheduler.set_timesteps(steps, device=self.device)
        return scheduler
