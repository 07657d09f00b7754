"""Denoising loop: DDIM (Song et al. 2021), deterministic after the first noise, with classifier-free guidance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

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
    assert len(prompts) == len(seeds), f"{len(prompts)} prompts but {len(seeds)} seeds"
    scheduler = scheduler_of(backbone, steps)
    done = []
    with evaluating(backbone):
        for some in pieces(list(zip(prompts, seeds, strict=True)), backbone.device, 8):
            texts = [prompt for prompt, _ in some]
            x_t = first_noise(backbone, [seed for _, seed in some]).to(backbone.device)
            done.append(walk(backbone, scheduler, scheduler.timesteps, x_t, texts, guidance, negative))
    return torch.cat(done)


def scheduler_of(backbone: Backbone, steps: int) -> Any:
    """The base's own sampler over ``steps`` of its timesteps; it keeps nothing from one sample to the next."""
    return backbone.sampler(steps)


def walk(
    backbone: Backbone,
    scheduler: Any,
    timesteps: Tensor,
    x_t: Tensor,
    texts: Sequence[str],
    guidance: float,
    negative: str,
) -> Tensor:
    """Noisy latents (n, c, h, w) down the ``timesteps``, one text for each; guidance 1 asks the network once a step."""
    guided = guidance != 1.0
    conditioning = backbone.encode_text([negative] * len(texts) + list(texts) if guided else texts)
    for t in timesteps:
        both = torch.cat([x_t, x_t]) if guided else x_t
        predicted = backbone.predict(both, t.expand(len(both)), conditioning).float()
        if guided:
            without, with_text = predicted.chunk(2)
            predicted = without + guidance * (with_text - without)
        x_t = scheduler.step(predicted, t, x_t, return_dict=False)[0]
    return x_t


@contextmanager
def evaluating(backbone: Backbone) -> Iterator[None]:
    """Within it the network is not training: dropout is off."""
    training = backbone.network.training
    backbone.network.eval()
    try:
        yield
    finally:
        backbone.network.train(training)
