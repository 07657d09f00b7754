"""Gaussian noise from a CPU generator, so that it is the same on every device."""

from collections.abc import Sequence

import torch
from torch import Tensor


def gaussian(shape: Sequence[int], rng: torch.Generator, device: str) -> Tensor:
    """Standard normal float32; on its way to an accelerator from pinned memory, so that nobody waits for it."""
    if device == "cpu":
        return torch.randn(tuple(shape), generator=rng)
    return torch.randn(tuple(shape), generator=rng).pin_memory().to(device, non_blocking=True)
