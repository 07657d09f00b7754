"""Asks a network about noised pictures. The noise follows from picture and timestep, so every network sees the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from core.seeding import seed_of

if TYPE_CHECKING:
    from torch import Tensor

    from backbones.backbone import Backbone
    from evaluation.case import Case


class Answer(NamedTuple):
    """What the network said of one picture, each (timesteps x draws, c, h, w) float32 on the CPU."""

    predicted: Tensor
    target: Tensor


def answers(
    backbone: Backbone, cases: Sequence[Case], timesteps: Sequence[int], *, draws: int = 1, seed: int = 0
) -> Iterator[Answer]:
    """One answer per case, rows ordered by timestep, then draw.

    A picture's timesteps go through together and without other pictures: latents may differ in shape, and no
    picture's figures depend on its companions, not in the last bit.
    """
    import torch

    device = backbone.device
    rows = [(t, draw) for t in timesteps for draw in range(draws)]
    t = torch.tensor([t for t, _ in rows])
    with undisturbed(backbone):
        for case in cases:
            clean = case.latent.cpu().float().unsqueeze(0)
            noise = torch.stack([noise_of(case, t, draw, seed) for t, draw in rows])
            noisy = backbone.noised(clean, noise, t)
            words = {name: one.to(device).expand(len(rows), *one.shape[1:]) for name, one in case.conditioning.items()}
            predicted = backbone.predict(noisy.to(device), t.to(device), words)
            yield Answer(predicted.float().cpu(), backbone.target(clean, noise, t))


def noise_of(case: Case, timestep: int, draw: int, seed: int) -> Tensor:
    """The noise for one picture at one timestep: the same on every machine and in whatever company."""
    import torch

    own = torch.Generator().manual_seed(seed_of("probe", case.record, timestep, draw, seed))
    return torch.randn(tuple(case.latent.shape), generator=own)


@contextmanager
def undisturbed(backbone: Backbone) -> Iterator[None]:
    """Without gradients or dropout, and each module back in its mode afterwards, so that training goes on as it was."""
    import torch

    modes = [(module, module.training) for module in backbone.network.modules()]
    backbone.network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training
