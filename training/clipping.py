"""Brings a gradient's norm down, without waiting for the device and in few calls."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


@torch.no_grad()
def clip(parameters: Sequence[nn.Parameter], limit: float | None) -> Tensor:
    """Scale the gradients so that their norm together is at most ``limit``; returns the norm that they had."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm: Tensor = torch.stack(torch._foreach_norm(gradients)).norm()
    if limit is not None:
        torch._foreach_mul_(gradients, (limit / (norm + 1e-6)).clamp(max=1.0))
    return norm
