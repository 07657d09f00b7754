"""Denoising loop: DDIM (Song et al. 2021), deterministic after the first noise, with classifier-free guidance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from backbones.pieces import pieces

if TYPE_CHECKING:
    from backbones.backbone import Backbone


def first_noise(backbone: Backbone, seeds: Sequence[int]) -> Tensor:
    """The noise that each seed stands for, drawn on the CPU so that it is the same on every device."""
    side = backbone.resolution // backbone.latent_scale
    channels = int(backbone.vae.config.latent_channels)
    return torch.cat([torch.randn(1, channels, side, side, generator=torch.Generator().manual_seed(s)) for s in seeds])


@torch.no_grad()
def denoise(
    backbone: Backbone, prompts: Sequence[str], seeds: Sequence[int], *, steps: int, guidance: float, negative: str
) -> Tensor:
    """Latents (n, c, h, w) of one sample per prompt and seed."""
    from diffusers import DDIMScheduler

    assert len(prompts) == len(seeds), f"{len(prompts)} prompts but {len(seeds)} seeds"
    training = backbone.network.training
    backbone.network.eval()
    guided = guidance != 1.0
    done = []
    for some in pieces(list(zip(prompts, seeds, strict=True)), backbone.device, 8):
        scheduler = DDIMScheduler.from_config(backbone.scheduler_config, clip_sample=False)
        scheduler.set_timesteps(steps, device=backbone.device)
        texts = [prompt for prompt, _ in some]
        conditioning = backbone.encode_text([negative] * len(some) + texts if guided else texts)
        x_t = first_noise(backbone, [seed for _, seed in some]).to(backbone.device)
        for t in scheduler.timesteps:
            both = torch.cat([x_t, x_t]) if guided else x_t
            predicted = backbone.predict(both, t.expand(len(both)), conditioning).float()
            if guided:
                without, with_text = predicted.chunk(2)
                predicted = without + guidance * (with_text - without)
            x_t = scheduler.step(predicted, t, x_t, return_dict=False)[0]
        done.append(x_t)
    backbone.network.train(training)
    return torch.cat(done)
