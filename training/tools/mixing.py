"""Merging whole bases: weighted, by part of the network, or what one learned added to another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from core.errors import RecipeError
from training.tools.model_files import ModelFiles
from training.tools.weighing import Weights

Mix = Callable[[str, list[Tensor]], Tensor]
"""given the name of a tensor's place and the tensor in each model, in float32"""


def mixed(models: Sequence[ModelFiles], mix: Mix, weights: Weights, out: Path, metadata: dict[str, str]) -> list[str]:
    """Write the first model with its network and text encoders mixed with the others'; the autoencoder stays its own.

    What was left out is returned in words.
    """
    first, others = models[0], models[1:]
    names = [name for name in first.header if first.place_of(name)]
    weights.check([first.place_of(name) for name in names])
    for other in others:
        if other.is_folder != first.is_folder:
            raise RecipeError(f"{first.path} and {other.path}: merge two folders or two files, not one of each")
        unlike = [n for n in names if n in other.header and other.header[n].shape != first.header[n].shape]
        if unlike:
            one, two = (tuple(model.header[unlike[0]].shape) for model in (first, other))
            raise RecipeError(
                f"{unlike[0]} is {one} in {first.path} and {two} in {other.path}: they are of different families"
            )
    alone = {name for name in names if any(name not in other.header for other in others)}
    if len(alone) == len(names):
        raise RecipeError(f"{first.path} and {others[0].path} have no tensor in common")

    def change(name: str, before: Tensor) -> Tensor:
        place = first.place_of(name)
        if not place or name in alone or not before.is_floating_point():
            return before
        return mix(place, [before.float(), *(other.read(name).float() for other in others)])

    first.rewrite(out, change, metadata)
    return [f"{len(alone)} tensors are not in all of them and stay the first's: {min(alone)}"] if alone else []


def weighted(weights: Weights) -> Mix:
    """The sum of each model times its weight. Weights that do not add up to 1 make the whole stronger or weaker."""

    def mix(place: str, tensors: list[Tensor]) -> Tensor:
        return torch.stack([one * t for one, t in zip(weights.of(place), tensors, strict=True)]).sum(0)

    return mix


def difference_added(weights: Weights) -> Mix:
    """A + weight * (B - C): what B learned on its base C, put on another base A."""

    def mix(place: str, tensors: list[Tensor]) -> Tensor:
        (share,) = weights.of(place)
        first, learned, its_base = tensors
        return first + share * (learned - its_base)

    return mix
