"""T-LoRA (Soboleva et al. 2025): the more noise, the fewer ranks train, since there a subject is memorised."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Clock:
    """Knows at which timesteps the network is being asked."""

    def __init__(self, network: nn.Module, count: int) -> None:
        self.count = count
        self.now: Tensor | None = None
        self._hook = network.register_forward_pre_hook(self._look, with_kwargs=True)

    def _look(self, _network: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        self.now = named["timestep"] if "timestep" in named else given[1]

    def remove(self) -> None:
        """Stop looking."""
        self._hook.remove()


def ranks_at(timesteps: Tensor, rank: int, lowest: int, count: int) -> Tensor:
    """How many ranks train at each of the timesteps: floor((rank - lowest) (1 - t / count)) + lowest."""
    lowest = min(lowest, rank)
    return ((rank - lowest) * (1 - timesteps / count)).floor() + lowest


def fewer_in_noise(part: nn.Module, lowest: int, clock: Clock) -> None:
    """Let ``part``, a LoRA's A, give only its first ranks where there is noise, while it trains."""

    def masked(part: nn.Module, _given: Any, low: Tensor) -> Tensor:
        if not part.training or clock.now is None:
            return low
        channel = 1 if low.dim() == 4 else -1
        rank = low.shape[channel]
        ranks = ranks_at(clock.now.to(low.device), rank, lowest, clock.count)
        kept = torch.arange(rank, device=low.device) < ranks.view(-1, 1)
        shape = [1] * low.dim()
        shape[0], shape[channel] = low.shape[0], rank
        return low * kept.to(low.dtype).expand(low.shape[0], rank).reshape(shape)

    part.register_forward_hook(masked)
