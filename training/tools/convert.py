"""Converting: the same adapter in another program's layout, or in another precision."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from backbones.adapter_files import tensors_of
from backbones.checkpoints import Checkpoint
from backbones.hypernetworks import is_hypernetwork
from backbones.words import is_embedding
from core.errors import RecipeError
from training.tools.layers import is_adapter, read_layers, write_layers
from training.tools.small_files import Embedding, convert_hypernetwork

Kind = Literal["layers", "embedding", "hypernetwork", "model"]
To = Literal["kohya", "diffusers", "web_ui", "safetensors"]
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
LAYOUTS: dict[Kind, tuple[To, ...]] = {
    "layers": ("kohya", "diffusers"),
    "embedding": ("kohya", "diffusers", "web_ui"),
    "hypernetwork": ("web_ui", "safetensors"),
    "model": (),
}
NAMES: dict[Kind, str] = {
    "layers": "a LoRA or LyCORIS file",
    "embedding": "an embedding",
    "hypernetwork": "a hypernetwork",
    "model": "a whole model",
}


def kind_of(file: Path) -> Kind:
    """What a file holds, by its tensors; `RecipeError` where it is nothing that is known here."""
    if file.is_dir():
        return "model"
    tensors = tensors_of(file)
    if Checkpoint.is_single_file(tensors):
        return "model"
    if is_hypernetwork(tensors):
        return "hypernetwork"
    if is_embedding(tensors):
        return "embedding"
    if is_adapter(tensors):
        return "layers"
    raise RecipeError(
        f"{file} is no adapter that is known here; its first tensors are {', '.join(map(str, sorted(tensors)[:3]))}"
    )


def suffix_for(to: To) -> str:
    """What the written file's name ends in."""
    return ".pt" if to == "web_ui" else ".safetensors"


def check_layout(file: Path, kind: Kind, to: To) -> None:
    """`RecipeError` where the kind has no such layout."""
    if to not in LAYOUTS[kind]:
        known = ", ".join(LAYOUTS[kind])
        words = f"there is {known}" if known else "train with `adapter: full` to have both of a model's layouts"
        raise RecipeError(f"{file} is {NAMES[kind]}, which has no layout {to}; {words}")


def converted(file: Path, kind: Kind, to: To, out: Path, dtype: torch.dtype | None) -> list[str]:
    """Write ``file`` at ``out`` in the layout ``to``; what a person should know of it, in words."""
    check_layout(file, kind, to)
    if kind == "hypernetwork":
        convert_hypernetwork(file, out, dtype)
        return []
    if kind == "embedding":
        found = Embedding.read(file)
        (found if dtype is None else found.to(dtype)).write(out, to)
        return (
            [f"the word is {found.word!r}; the web UI takes the file's name instead"] if out.stem != found.word else []
        )
    layers = read_layers(file)
    layers = layers if dtype is None else layers.to(dtype)
    write_layers(out, replace(layers, layout="kohya" if to == "kohya" else "diffusers"))
    unknown = [name for name in layers.parts if name.startswith("lora_")]
    return [f"{len(unknown)} layers keep the names that they had, such as {unknown[0]}"] if unknown else []
