"""`train.start_from`: what a finished file has learned becomes what training begins with. Shapes are checked first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backbones.adapter_files import hash_of
from core.errors import RecipeError
from training.files import RANKED, Parts
from training.parts import HADAMARD, KRONECKER, NAME, parts_of
from training.tools.low_rank import low_of

KINDS = {"hada_w1_a": "loha", "lokr_w1": "lokr", "lokr_w1_a": "lokr", "on_input": "ia3", "oft_blocks": "oft"}
"""our names of the kinds, by a part that tells them"""


def identity_of(file: str) -> str:
    """What a run that starts from a file depends on: its bytes. `RecipeError` where there is none."""
    path = Path(file).expanduser()
    if not path.exists():
        raise RecipeError(f"train.start_from: there is no file {path}")
    return hash_of(path)


def layers_from(file: Path) -> Mapping[str, Parts]:
    """The layers of an adapter file, for kinds that go on layers."""
    from training.tools.layers import read_layers

    try:
        return read_layers(file).parts
    except RecipeError as error:
        raise RecipeError(f"train.start_from: {error}") from error


def begin_layers(mine: Mapping[str, Any], file: Path) -> str:
    """Put the file's layers into those of peft's that train; what of them the file lacks, in words."""
    theirs = layers_from(file)
    check_names(set(mine), theirs, file)
    for name, layer in mine.items():
        if name in theirs:
            _put(layer, theirs[name], name, file)
    return lacking(set(mine), theirs, file)


def check_names(mine: set[str], theirs: Mapping[str, Parts], file: Path) -> None:
    """`RecipeError` where the file has layers that the run does not train: what they learned would be lost."""
    beyond = [name for name in theirs if name not in mine]
    if not beyond:
        return
    hint = "is it of another base?"
    if all(name.startswith("text_encoder") for name in beyond):
        hint = "train.text_encoder trains the text encoder's"
    elif len(beyond) < len(theirs):
        hint = "convolutions: true, adapter: locon or other `ranks` train more layers"
    raise RecipeError(
        f"train.start_from: {file} has {len(beyond)} layers that this run does not train, such as {beyond[0]}; {hint}"
    )


def lacking(mine: set[str], theirs: Mapping[str, Parts], file: Path) -> str:
    """Words about layers that begin at nothing."""
    missing = sorted(mine - set(theirs))
    return f"{len(missing)} layers begin at the base, because {file.name} lacks them: {missing[0]}" if missing else ""


def kind_of(parts: Parts) -> str:
    """Our name of a layer's kind."""
    if "lora_up.weight" in parts:
        return "dora" if "dora_scale" in parts else "lora"
    return next((kind for part, kind in KINDS.items() if part in parts), "of an unknown kind")


def _put(layer: Any, parts: Parts, name: str, file: Path) -> None:
    now = parts_of(layer)
    if kind_of(parts) != kind_of(now):
        raise RecipeError(
            f"train.start_from: {name} of {file} is {kind_of(parts)}, this run trains {kind_of(now)}: "
            f"set train.adapter.kind to that of the file"
        )
    if "lora_up.weight" in parts:
        _put_low(layer, parts, now, name, file)
    elif "on_input" in parts:
        if bool(parts["on_input"]) != bool(now["on_input"]) or parts["weight"].numel() != now["weight"].numel():
            raise RecipeError(f"train.start_from: {name} of {file} is {_shapes(parts)}, this run has {_shapes(now)}")
        _set(layer.ia3_l[NAME], parts["weight"].float() + 1)
    else:
        _put_product(layer, parts, now, name, file)


def _put_low(layer: Any, parts: Parts, now: Parts, name: str, file: Path) -> None:
    low = low_of(parts)
    assert low is not None
    _check_rank(low.rank, now["lora_down.weight"].shape[0], name, file)
    mine = now["lora_up.weight"].shape[0], *now["lora_down.weight"].shape[1:]
    if low.up.shape[0] != mine[0] or low.down[0].numel() != now["lora_down.weight"][0].numel():
        raise RecipeError(
            f"train.start_from: {name} of {file} is for a weight {(low.up.shape[0], *low.inner)}, the base's is {mine}"
        )
    _set(layer.lora_A[NAME].weight, low.down)
    _set(layer.lora_B[NAME].weight, low.up / float(layer.scaling[NAME]))
    if "dora_scale" in parts:
        _set(layer.lora_magnitude_vector[NAME].weight, parts["dora_scale"])


def _put_product(layer: Any, parts: Parts, now: Parts, name: str, file: Path) -> None:
    """LoHa's and LoKr's factors; the first takes what the file's alpha is to the run's."""
    own = [part for part in (*HADAMARD, *KRONECKER) if part in now]
    ranks = [next((some[part].shape[0] for part in RANKED if part in some), 0) for some in (parts, now)]
    _check_rank(ranks[0], ranks[1], name, file)
    if {part: parts[part].shape for part in parts if part != "alpha"} != {part: now[part].shape for part in own}:
        raise RecipeError(f"train.start_from: {name} of {file} is {_shapes(parts)}, this run has {_shapes(now)}")
    whole = "lokr_w1" in parts and "lokr_w2" in parts
    theirs = 1.0 if whole or "alpha" not in parts or not ranks[0] else float(parts["alpha"]) / ranks[0]
    for number, part in enumerate(own):
        value = parts[part].float()
        _set(getattr(layer, part)[NAME], value * theirs / float(layer.scaling[NAME]) if number == 0 else value)


def _check_rank(theirs: int, mine: int, name: str, file: Path) -> None:
    if theirs != mine:
        raise RecipeError(
            f"train.start_from: {name} of {file} has rank {theirs}, this run trains rank {mine}; set the adapter's "
            f"rank (or `ranks`) to the file's, or make it fit: velatura lora resize {file} --rank {mine} --out FILE"
        )


def _shapes(parts: Parts) -> str:
    return ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in sorted(parts.items()) if tensor.dim())


@torch.no_grad()
def _set(parameter: Tensor, value: Tensor) -> None:
    parameter.copy_(value.reshape(parameter.shape))


def begin_rotations(trained: Mapping[str, Tensor], constraint: float, file: Path) -> str:
    """OFT's blocks."""
    theirs = layers_from(file)
    mine = {f"unet.{path}": blocks for path, blocks in trained.items()}
    check_names(set(mine), theirs, file)
    for name, blocks in mine.items():
        if name not in theirs:
            continue
        if kind_of(theirs[name]) != "oft":
            raise RecipeError(f"train.start_from: {name} of {file} is {kind_of(theirs[name])}, this run trains oft")
        found = theirs[name]["oft_blocks"]
        if found.shape != blocks.shape:
            raise RecipeError(
                f"train.start_from: {name} of {file} has blocks {tuple(found.shape)}, this run {tuple(blocks.shape)}; "
                f"set train.adapter.block_size to {found.shape[-1]}"
            )
        limit = float(theirs[name].get("alpha", torch.zeros(())))
        if abs(limit - constraint) > 1e-6 * max(1.0, limit):
            raise RecipeError(f"train.start_from: {file} was trained with constraint {limit:g}; set it so")
        _set(blocks, found.float())
    return lacking(set(mine), theirs, file)


def begin_word(trained: Mapping[str, Tensor], file: Path) -> str:
    """A learned word's vectors."""
    from backbones.adapter_files import tensors_of
    from backbones.words import is_embedding
    from training.tools.small_files import Embedding

    tensors = tensors_of(file)
    if not is_embedding(tensors):
        raise RecipeError(f"train.start_from: {file} is no embedding")
    found = Embedding.read(file)
    shapes = {name: tuple(t.shape) for name, t in found.vectors.items()}
    mine = {name: tuple(t.shape) for name, t in trained.items()}
    if shapes != mine:
        count = len(next(iter(found.vectors.values())))
        raise RecipeError(
            f"train.start_from: {file} has vectors {shapes}, this run trains {mine}; "
            f"set train.adapter.vectors to {count}, if the width is the base's"
        )
    for name, parameter in trained.items():
        _set(parameter, found.vectors[name].float())
    return ""


def begin_hypernetwork(trained: Mapping[str, Tensor], shape: Any, file: Path) -> str:
    """A hypernetwork's networks: widths and structure must be those of the run."""
    from backbones.adapter_files import tensors_of
    from backbones.hypernetworks import description_of, flat_networks, is_hypernetwork, shape_of

    tensors = tensors_of(file)
    if not is_hypernetwork(tensors):
        raise RecipeError(f"train.start_from: {file} is no hypernetwork")
    theirs = shape_of(description_of(tensors, file))
    differing = [
        key for key in ("structure", "activation", "layer_norm") if getattr(theirs, key) != getattr(shape, key)
    ]
    if differing:
        said = ", ".join(f"{key}: {getattr(theirs, key)}" for key in differing)
        raise RecipeError(f"train.start_from: {file} is built with {said}; set train.adapter so")
    flat = {name.replace(".linear.", ".", 1): tensor for name, tensor in flat_networks(tensors).items()}
    if {n: t.shape for n, t in flat.items()} != {n: t.shape for n, t in trained.items()}:
        widths = sorted({name.partition(".")[0] for name in flat}, key=int)
        raise RecipeError(
            f"train.start_from: {file} has networks for widths {', '.join(widths)} and dropout {theirs.dropout or 0}; "
            "set train.adapter.widths and dropout so, if the base has those"
        )
    for name, parameter in trained.items():
        _set(parameter, flat[name].float())
    return ""
