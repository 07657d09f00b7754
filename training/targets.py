"""Which layers of a network an adapter goes on, and with what rank."""

import re
from collections.abc import Collection, Mapping
from typing import TypeVar

from torch import nn

from core.errors import RecipeError

N = TypeVar("N", int, float)
TRANSFORMERS = ("Transformer2DModel",)
CONVOLUTIONS = ("ResnetBlock2D", "Downsample2D", "Upsample2D")
"""class names of the blocks that kohya's default leaves out"""


def inside(network: nn.Module, blocks: Collection[str]) -> list[str]:
    """Paths of all linear and convolution layers within blocks of these class names, in the network's order."""
    found: dict[str, None] = {}
    for path, block in network.named_modules():
        if type(block).__name__ in blocks:
            for below, layer in block.named_modules():
                if isinstance(layer, nn.Linear | nn.Conv2d):
                    found[f"{path}.{below}"] = None
    return list(found)


def ranked(layers: Mapping[str, int], ranks: Mapping[str, int]) -> dict[str, int]:
    """The layers' ranks, after ``ranks`` by part of the network was heeded; rank 0 leaves a layer out.

    The longest name that a layer's path begins with counts.
    """
    chosen = by_part(layers, ranks, "ranks")
    left = {path: rank for path, rank in chosen.items() if rank > 0}
    if not left:
        raise RecipeError("train.adapter.ranks: every layer is left out; give at least one part a rank above 0")
    return left


def by_part(layers: Mapping[str, N], parts: Mapping[str, N], key: str) -> dict[str, N]:
    """The layers' values, after those of ``parts`` were heeded; ``key`` is their name in the recipe."""
    for name in parts:
        if not any(begins(path, name) for path in layers):
            known = sorted({".".join(path.split(".")[: 1 if path.startswith("mid") else 2]) for path in layers})
            raise RecipeError(f"train.adapter.{key}: no layer is in {name!r}; its parts are {', '.join(known)}")
    longest = sorted(parts, key=len, reverse=True)
    return {path: next((parts[name] for name in longest if begins(path, name)), own) for path, own in layers.items()}


def begins(path: str, name: str) -> bool:
    """Whether a layer is the named part of the network, or inside it."""
    return path == name or path.startswith(f"{name}.")


def patterns(values: Mapping[str, float], default: float) -> dict[str, float]:
    """What is not the default, as peft takes it: one regular expression per value, so that few have to be tried."""
    paths: dict[float, list[str]] = {}
    for path, value in values.items():
        if value != default:
            paths.setdefault(value, []).append(re.escape(path))
    return {"|".join(some): value for value, some in paths.items()}
