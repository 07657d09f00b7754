"""Resizing: the nearest LoRA of fewer ranks for what a file does (kohya's and LyCORIS's tools call it so too)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.errors import RecipeError
from core.progress import track
from training.files import Parts
from training.tools.layers import Layers
from training.tools.low_rank import Fewer, change_of, factored, fewer_ranks, low_of, parts_of
from training.tools.merge import STALE


@dataclass(frozen=True)
class Resized:
    """A smaller file, and what it cost."""

    layers: Layers
    kept: float
    """share of the squared norm of all that the file did"""
    ranks: tuple[int, int]
    """smallest and largest rank of a layer"""
    remade: int
    """layers of other kinds that became LoRAs"""


def resized(layers: Layers, fewer: Fewer) -> Resized:
    """Every layer by singular values; LoHa, LoKr and whole differences become LoRAs. DoRA's lengths stay."""
    if fewer == Fewer():
        raise RecipeError("say how small: --rank, --ratio or --energy")
    made: dict[str, Parts] = {}
    whole = kept = 0.0
    remade = 0
    for name, parts in track(list(layers.parts.items()), "resizing layers", len(layers.parts)):
        low = low_of(parts)
        if low is None:
            found, share = factored(change_of(parts, name), fewer)
            remade += 1
        else:
            found, share = fewer_ranks(low, fewer)
        size = found.norm**2
        kept, whole = kept + size, whole + (size / share if share else 0.0)
        made[name] = parts_of(found)
        if "dora_scale" in parts:
            made[name]["dora_scale"] = parts["dora_scale"]
    ranks = [parts["lora_down.weight"].shape[0] for parts in made.values()]
    said = {key: value for key, value in layers.metadata.items() if not key.startswith(STALE)}
    smaller = replace(layers, parts=made, metadata=said).to(layers.dtype)
    return Resized(smaller, kept / whole if whole else 1.0, (min(ranks), max(ranks)), remade)
