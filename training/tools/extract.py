"""Extracting: what a tuned model has learned beyond its base, as a LoRA of the ranks that are asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from backbones.layer_names import part_of
from core.errors import RecipeError
from core.progress import track
from training.files import Parts
from training.tools.layers import Layers
from training.tools.low_rank import Fewer, factored, parts_of
from training.tools.model_files import ModelFiles

SAME = 1e-7
"""a change of less than this, of the weight's own norm, is rounding"""


@dataclass(frozen=True)
class Extracted:
    """A LoRA, and how much of what was learned is in it."""

    layers: Layers
    kept: float
    """share of the squared norm of what was learned in the layers that were taken"""
    left: dict[str, float] = field(default_factory=dict)
    """parts in which layers were left out -> the norm of what they learned"""


def extracted(tuned: ModelFiles, base: ModelFiles, fewer: Fewer, convolutions: Fewer | None) -> Extracted:
    """Linear layers and 1x1 convolutions of the transformer blocks and text encoders; with ``convolutions`` all others.

    Norms and biases have no low rank and are left out.
    """
    names = [name for name in base.layers if name in tuned.layers]
    if not names:
        raise RecipeError(f"{tuned.path} and {base.path} have no layer in common")
    made: dict[str, Parts] = {}
    left: dict[str, float] = {}
    whole = kept = 0.0
    for name in track(names, "extracting layers", len(names)):
        before, after = base.weight(name).float(), tuned.weight(name).float()
        if before.shape != after.shape:
            raise RecipeError(
                f"{name} is {tuple(after.shape)} in {tuned.path} and {tuple(before.shape)} in {base.path}: "
                "they are of different families"
            )
        change = after - before
        if float(change.norm()) <= SAME * float(before.norm()):
            continue
        chosen = fewer if is_plain(name, change) else convolutions
        if chosen is None:
            part = part_of(name)
            left[part] = (left.get(part, 0.0) ** 2 + float(change.square().sum())) ** 0.5
            continue
        found, share = factored(change, chosen)
        size = float(change.double().square().sum())
        kept, whole = kept + share * size, whole + size
        made[name] = parts_of(found)
    if not made:
        raise RecipeError(
            f"{tuned.path} has learned nothing beyond {base.path} in the layers that are taken"
            + (f"; it has in {', '.join(left)}: --conv-rank takes those" if left else "")
        )
    return Extracted(Layers(made, layout="kohya"), kept / whole, left)


def is_plain(name: str, weight: Tensor) -> bool:
    """Whether a plain LoRA goes on the layer, as in kohya: linear ones and 1x1 convolutions of transformers."""
    if name.startswith("text_encoder"):
        return ".self_attn." in name or ".mlp." in name
    return ".attentions." in name and (weight.dim() == 2 or tuple(weight.shape[2:]) == (1, 1))
