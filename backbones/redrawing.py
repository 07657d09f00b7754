"""Image to image (SDEdit, Meng et al. 2022): noise on a picture's latents, then the way down from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from backbones.encoding import fit
from backbones.sampling import evaluating, scheduler_of, walk
from core.pixels import Pixels

if TYPE_CHECKING:
    from backbones.backbone import Backbone

LONGEST = 2.0
"""times the shorter side: of a longer picture the middle is drawn, since bases know little of strips"""


def native_size(backbone: Backbone, width: int, height: int) -> tuple[int, int]:
    """(width, height) in which the base draws best: its own area in the picture's shape, in sides it can halve."""
    step = backbone.side_step
    shape = min(max(width / height, 1 / LONGEST), LONGEST) ** 0.5
    wide, tall = (max(1, round(backbone.resolution * times / step)) * step for times in (shape, 1 / shape))
    return wide, tall


@torch.no_grad()
def redraw(
    backbone: Backbone,
    picture: Pixels,
    prompt: str,
    seed: int,
    *,
    strength: float,
    steps: int,
    guidance: float,
    negative: str = "",
) -> Pixels:
    """The picture drawn anew in the base's own size; of ``steps`` the last ``strength`` (0 to 1) are walked.

    One at a time, so that on any device it follows from its own picture, prompt and seed.
    """
    height, width = picture.shape[:2]
    latent = backbone.encode_pictures([fit(picture, *native_size(backbone, width, height))])
    scheduler = scheduler_of(backbone, steps)
    walked = scheduler.timesteps[steps - min(max(round(steps * strength), 1), steps) :]
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed))
    x_t = scheduler.add_noise(latent, noise, walked[:1].cpu()).to(backbone.device)
    with evaluating(backbone):
        (made,) = backbone.decode(walk(backbone, scheduler, walked, x_t, [prompt], guidance, negative))
    return made
