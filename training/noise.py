"""Gaussian noise from a CPU generator, so that it is the same on every device."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from training.chance import Rows, normal


def gaussian(shape: Sequence[int], rng: torch.Generator, device: str, rows: Rows | None = None) -> Tensor:
    """Standard normal float32; on its way to an accelerator from pinned memory, so that nobody waits for it."""
    drawn = normal(shape, rng, rows)
    return drawn if device == "cpu" else drawn.pin_memory().to(device, non_blocking=True)


def offset(
    latents: Tensor, rng: torch.Generator, device: str, strength: float, adaptive: float, rows: Rows | None = None
) -> Tensor:
    """A constant per example and channel (n, c, 1, 1); ``adaptive`` makes it stronger where the mean is far from 0."""
    drawn = gaussian(latents.shape[:2], rng, device, rows)[:, :, None, None]
    if not adaptive:
        return strength * drawn
    return (strength + adaptive * latents.mean(dim=(2, 3), keepdim=True).abs()).clamp(min=0) * drawn


def coarser(
    noise: Tensor, rng: torch.Generator, device: str, *, levels: int, discount: float, rows: Rows | None = None
) -> Tensor:
    """Noise with coarser noise on top, each level two to four times coarser; as strong as it was before."""
    n, channels, height, width = noise.shape
    whole, scale = noise, 1.0
    for level in range(1, levels + 1):
        scale *= 2 + 2 * float(torch.rand((), generator=rng))  # on the CPU: nobody waits for the device
        size = max(1, int(height / scale)), max(1, int(width / scale))
        drawn = gaussian((n, channels, *size), rng, device, rows)
        whole = whole + discount**level * functional.interpolate(drawn, (height, width), mode="bilinear")
        if 1 in size:
            break
    return whole / whole.std(dim=(1, 2, 3), keepdim=True)
