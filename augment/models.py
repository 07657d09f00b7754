"""The models that blocks work with: each is loaded once, for as long as pictures are made, and then let go."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backbones.backbone import Backbone
    from backbones.clip import Clip
    from backbones.control import Control


def device() -> str:
    """Where they run: the GPU if there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@cache
def backbone(base: str) -> Backbone:
    """What a recipe calls its base."""
    from backbones.family import family_of

    return family_of(base).load(device=device())


@cache
def clip(name: str) -> Clip:
    """A CLIP by what a recipe calls it."""
    from backbones.clip import Clip

    return Clip.open(name, device=device())


@cache
def control(folder: str) -> Control:
    """A ControlNet's folder."""
    from backbones.control import Control

    return Control.load(folder, device=device())


def let_go() -> None:
    """Free what was loaded: training needs the room."""
    for loader in (backbone, clip, control):
        loader.cache_clear()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
