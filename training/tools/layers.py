"""An adapter file as layers and their parts, read from kohya's, LyCORIS's, diffusers' or peft's layout, and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from backbones.layer_files import PREFIXES
from backbones.layer_names import from_kohya, known, to_kohya
from backbones.lycoris import FORMULAS
from core.errors import RecipeError
from training.files import Parts, hashes_of, network_metadata, with_alpha
from training.tensors import read_tensors, write_tensors

Layout = Literal["kohya", "diffusers"]
DIFFUSERS = {
    "lora_A.weight": "lora_down.weight",
    "lora_B.weight": "lora_up.weight",
    "lora.down.weight": "lora_down.weight",
    "lora.up.weight": "lora_up.weight",
    "lora_magnitude_vector": "dora_scale",
    "lora_magnitude_vector.weight": "dora_scale",
    "alpha": "alpha",
}
"""how diffusers and peft call the parts of a low-rank layer, now and before"""


@dataclass(frozen=True)
class Layers:
    """What a file holds of each layer, by LyCORIS's names of the parts."""

    parts: Mapping[str, Parts]
    """by the layer's name as `backbones.layer_names` has it"""
    metadata: Mapping[str, str] = field(default_factory=dict)
    layout: Layout = "kohya"
    original: bool = False
    """the U-Net's layers were named as the original checkpoints name them, as kohya does for SDXL"""

    @property
    def several(self) -> bool:
        """Whether it is of a base with two text encoders."""
        said = self.metadata.get("ss_base_model_version", "") + self.metadata.get("modelspec.architecture", "")
        return self.original or any(name.startswith("text_encoder_2.") for name in self.parts) or "xl" in said

    @property
    def dtype(self) -> torch.dtype:
        """Of most of its tensors' values."""
        counts: dict[torch.dtype, int] = {}
        for parts in self.parts.values():
            for tensor in parts.values():
                counts[tensor.dtype] = counts.get(tensor.dtype, 0) + tensor.numel()
        return max(counts, key=counts.__getitem__) if counts else torch.float32

    def to(self, dtype: torch.dtype) -> Layers:
        """The same in another precision; alpha and flags stay as they are."""
        return replace(
            self,
            parts={
                name: {part: t.to(dtype) if t.dim() and t.is_floating_point() else t for part, t in parts.items()}
                for name, parts in self.parts.items()
            },
        )


def is_adapter(tensors: Mapping[str, Tensor]) -> bool:
    """Whether the tensors are of layers at all, and not an embedding or a whole checkpoint."""
    return any(str(name).startswith(PREFIXES) or _diffusers(str(name))[1] for name in tensors)


def read_layers(file: Path) -> Layers:
    """`RecipeError` where the file is no adapter of layers."""
    from backbones.adapter_files import tensors_of

    tensors = tensors_of(file)
    if file.suffix != ".safetensors" or not is_adapter(tensors):
        raise RecipeError(f"{file} is no LoRA or LyCORIS file; `velatura lora inspect {file}` tells what it is")
    layers: dict[str, Parts] = {}
    layout: Layout = "kohya" if any(name.startswith(PREFIXES) for name in tensors) else "diffusers"
    for name, tensor in tensors.items():
        if layout == "kohya":
            layer, _, part = name.partition(".")
            layer = from_kohya(layer)
        else:
            layer, part = _diffusers(name)
        if not part:
            raise RecipeError(f"{file}: {name} is of no layout that is known here (kohya's, LyCORIS's, diffusers')")
        layers.setdefault(layer, {})[part] = tensor
    for parts in layers.values():
        if "lora_down.weight" in parts:  # where a file names no alpha, the product counts as it is
            parts.setdefault("alpha", torch.tensor(float(parts["lora_down.weight"].shape[0])))
    original = any(name.startswith(("lora_unet_input_blocks", "lora_unet_output_blocks")) for name in tensors)
    _check(file, layers)
    return Layers(
        {name: parts if layout == "kohya" else _shaped(parts) for name, parts in layers.items()},
        read_tensors(file)[1],
        layout,
        original=original,
    )


def _check(file: Path, layers: Mapping[str, Parts]) -> None:
    for name, parts in layers.items():
        if not set(parts) & {*FORMULAS, "w_norm"}:
            raise RecipeError(f"{file}: {name} has only {', '.join(sorted(parts))}: no kind of adapter is made of that")
        if ("lora_up.weight" in parts) != ("lora_down.weight" in parts):
            raise RecipeError(f"{file}: of {name} one half is missing: it has only {', '.join(sorted(parts))}")


def _diffusers(name: str) -> tuple[str, str]:
    """``unet.a.b.lora_A.weight`` -> (``unet.a.b``, ``lora_down.weight``); nothing where it is not of that layout."""
    for theirs, ours in DIFFUSERS.items():
        if name.endswith(f".{theirs}"):
            layer = name.removesuffix(f".{theirs}").removeprefix("base_model.model.").replace(".processor", "")
            layer = layer if known(layer) else f"unet.{layer}"
            side, _, path = layer.partition(".")
            if side != "unet":  # transformers 5.6 took this level out of the modules; in files it stays
                layer = f"{side}.text_model.{path.removeprefix('text_model.')}"
            return layer, ours
    return "", ""


def _shaped(parts: Parts) -> Parts:
    """In diffusers' files DoRA's lengths are flat; LyCORIS has them as tall as the weight's other sides ask."""
    if "dora_scale" not in parts or "lora_down.weight" not in parts or parts["dora_scale"].dim() == 2:
        return parts
    scale, down = parts["dora_scale"], parts["lora_down.weight"]
    if scale.dim() == 4 and scale.shape[0] == 1:
        scale = scale.transpose(0, 1)
    return parts | {"dora_scale": scale.reshape(-1, *[1] * (down.dim() - 1))}


def write_layers(path: Path, layers: Layers) -> None:
    """In the layout that the layers are marked with; metadata about rank and hashes is made anew."""
    kept = {key: value for key, value in layers.metadata.items() if not key.startswith(("sshs_", "modelspec.hash"))}
    if layers.layout == "diffusers":
        write_tensors(path, diffusers_tensors(layers.parts), {**kept, "format": "pt"})
        return
    first = next((parts["alpha"] for parts in layers.parts.values() if "lora_up.weight" in parts), None)
    tensors = {
        f"{to_kohya(name, several=layers.several, original=layers.original)}.{part}": tensor
        for name, parts in layers.parts.items()
        for part, tensor in with_alpha(parts, first).items()
    }
    metadata = {**kept, **network_metadata(with_alpha(parts, first) for parts in layers.parts.values())}
    write_tensors(path, tensors, {**metadata, **hashes_of(tensors, metadata)})


def diffusers_tensors(layers: Mapping[str, Parts]) -> dict[str, Tensor]:
    """``unet.<path>.lora_A.weight``; readers take alpha for the rank, so the true one is put into lora_B."""
    strange = [name for name in layers if not known(name)]
    if strange:
        raise RecipeError(f"the layer {strange[0]} is of no architecture that is known here; diffusers needs its path")
    tensors: dict[str, Tensor] = {}
    for name, parts in layers.items():
        if "lora_up.weight" not in parts:
            raise RecipeError(
                f"diffusers has no layout for this kind ({', '.join(sorted(parts))} of {name}); "
                "`velatura lora resize FILE --rank N` makes a LoRA of it, which has one"
            )
        down, up = parts["lora_down.weight"], parts["lora_up.weight"]
        scale = float(parts["alpha"]) / down.shape[0] if "alpha" in parts else 1.0
        tensors[f"{name}.lora_A.weight"] = down
        tensors[f"{name}.lora_B.weight"] = up * scale
        if "dora_scale" in parts:
            lengths = parts["dora_scale"]
            tensors[f"{name}.lora_magnitude_vector"] = lengths.transpose(0, 1) if down.dim() == 4 else lengths.flatten()
    return tensors
