"""Merging adapters: into one file, exactly or by fewer ranks, and into the weights of a base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from backbones.lycoris import retuned
from core.errors import RecipeError
from core.progress import track
from training.files import Parts
from training.tools.layers import Layers
from training.tools.low_rank import Fewer, Low, change_of, factored, fewer_ranks, low_of, parts_of
from training.tools.model_files import ModelFiles
from training.tools.weighing import Weights

STALE = ("sshs_", "ss_session", "modelspec.hash", "velatura.verdict")
"""beginnings of what is no longer true of a file that was changed"""


def merged(files: Sequence[Layers], weights: Weights, fewer: Fewer | None) -> tuple[Layers, float]:
    """The sum of what the files do, and the share of its squared norm that is kept.

    Without ``fewer`` the ranks stand side by side, which is exact; with it each layer gets the nearest product.
    """
    names = list(dict.fromkeys(name for file in files for name in file.parts))
    weights.check(names)
    made: dict[str, Parts] = {}
    whole = kept = 0.0
    for name in track(names, "merging layers", len(names)):
        share = weights.of(name)
        pairs = [(file.parts[name], one) for file, one in zip(files, share, strict=True) if name in file.parts and one]
        if not pairs:
            continue
        lows = [low_of(parts) if "dora_scale" not in parts else None for parts, _ in pairs]
        if all(low is not None for low in lows):
            joined = beside([low for low in lows if low is not None], [one for _, one in pairs], name)
            found, part = (joined, 1.0) if fewer is None else fewer_ranks(joined, fewer)
        elif fewer is None:
            change_of(pairs[lows.index(None)][0], name)  # says so where it needs the base
            raise RecipeError(
                f"{name}: ranks stand side by side only in LoRAs, and one of the files is of another kind; "
                "give --rank, and the sum is made a LoRA of that rank"
            )
        else:
            changes = [one * change_of(parts, name) for parts, one in pairs]
            if len({change.shape for change in changes}) > 1:
                raise RecipeError(unlike(name, [tuple(change.shape) for change in changes]))
            found, part = factored(torch.stack(changes).sum(0), fewer)
        size = found.norm**2
        kept, whole = kept + size, whole + (size / part if part else 0.0)
        made[name] = parts_of(found)
    if not made:
        raise RecipeError("nothing is left to write: every weight is 0")
    first = files[0]
    said = {key: value for key, value in first.metadata.items() if not key.startswith(STALE)}
    return replace(first, parts=made, metadata=said), kept / whole if whole else 1.0


def beside(lows: Sequence[Low], weights: Sequence[float], name: str) -> Low:
    """The sum of several products as one of all their ranks."""
    shapes = [(low.up.shape[0], *low.inner) for low in lows]
    if len(set(shapes)) > 1:
        raise RecipeError(unlike(name, shapes))
    ups = [low.up * weight for low, weight in zip(lows, weights, strict=True)]
    return Low(torch.cat(ups, dim=1), torch.cat([low.down for low in lows], dim=0), lows[0].inner)


def unlike(name: str, shapes: Sequence[tuple[int, ...]]) -> str:
    """Why two files cannot be added."""
    return f"{name} is {' and '.join(map(str, dict.fromkeys(shapes)))} in these files: they are of different bases"


def into_base(
    base: ModelFiles, files: Sequence[Layers], weights: Weights, out: Path, metadata: dict[str, str]
) -> list[str]:
    """Write the base with the files' changes in its weights; of layers that it has not, a word."""
    weights.check([name for file in files for name in file.parts])
    missing = [name for file in files for name in file.parts if name not in base.layers]
    if any(len([n for n in file.parts if n in base.layers]) == 0 for file in files):
        raise RecipeError(
            f"{base.path} has none of the file's layers (such as {missing[0]}): the file is of another base"
        )
    by_key: dict[str, list[str]] = {}
    for layer, place in base.layers.items():
        if any(layer in file.parts for file in files):
            by_key.setdefault(place.key, []).append(layer)

    def change(key: str, before: Tensor) -> Tensor:
        layers = by_key.get(key, [])
        whole = before.float().clone() if layers else before
        for layer in layers:
            view = base.layers[layer].read(whole)
            view.copy_(tuned(view, layer, files, weights))
        return whole

    base.rewrite(out, change, metadata)
    words = (
        [f"{len(missing)} layers of the files are not in this base and were left out: {missing[0]}"] if missing else []
    )
    biased = [name for file in files for name, parts in file.parts.items() if "diff_b" in parts or "b_norm" in parts]
    return words + ([f"biases were left as they are, in {len(biased)} layers: {biased[0]}"] if biased else [])


def tuned(weight: Tensor, layer: str, files: Sequence[Layers], weights: Weights) -> Tensor:
    """A layer's weight with what the files do to it, each from the base's own weight."""
    total = weight.clone()
    for file, share in zip(files, weights.of(layer), strict=True):
        if layer in file.parts and share:
            try:
                total += share * (retuned(weight, file.parts[layer]) - weight)
            except (RuntimeError, KeyError) as error:
                raise RecipeError(
                    f"{layer} of the file does not fit the base's weight {tuple(weight.shape)}: it is of another base"
                ) from error
    return total
