"""A whole base as files: its layers by the names that adapters use, read one tensor at a time and written anew."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from backbones.family import POCKET
from backbones.folder import check_whole, weights_of
from backbones.original import LAYER, THIRDS, Place
from backbones.original_names import diffusers_path, layers_in
from backbones.single_file import UNET
from core.errors import MissingBase, RecipeError
from core.files import replacing
from core.progress import report
from training.tensors import DTYPES, bytes_of, header_of, in_order

TRANSFORMERS = {
    "cond_stage_model.transformer.text_model.": "text_encoder",
    "conditioner.embedders.0.transformer.text_model.": "text_encoder",
}
OPEN_CLIP = {"cond_stage_model.model.": "text_encoder", "conditioner.embedders.1.model.": "text_encoder_2"}
"""how the text encoders' names begin in the one file: of SD 1.x and SDXL's first; of SD 2.x and SDXL's second"""
PARTS = ("unet", "text_encoder", "text_encoder_2")


@dataclass(frozen=True)
class ModelFiles:
    """A single-file checkpoint or a diffusers folder. Nothing but headers is read before it is asked for."""

    path: Path
    files: Mapping[str, Path]
    """tensor -> the file it stands in; in a folder with its part in front, ``unet.conv_in.weight``"""
    header: Mapping[str, Tensor] = field(repr=False)
    """shape and type of each tensor, without values"""

    @classmethod
    def of(cls, path: Path | str) -> ModelFiles:
        """`MissingBase` where there is no whole base."""
        path = POCKET if str(path) == "pocket" else Path(path).expanduser()
        if path.is_dir():
            if not (path / "model_index.json").is_file():
                raise MissingBase(
                    f"{path} has no model_index.json; expected a diffusers folder or one .safetensors file"
                )
            parts = [part for part in PARTS if (path / part / "config.json").is_file()]
            files = [(f"{part}.", file) for part in parts for file in weights_of(path / part)[0]]
        elif path.suffix == ".safetensors":
            files = [("", check_whole(path))]
        elif path.is_file():
            raise MissingBase(f"{path} is no .safetensors file; pickled checkpoints are never loaded, convert it first")
        else:
            raise MissingBase(f"there is no base {path}; expected a diffusers folder or one .safetensors file")
        found: dict[str, Path] = {}
        header: dict[str, Tensor] = {}
        for prefix, file in files:
            for name, tensor in shapes_in(file).items():
                found[prefix + name], header[prefix + name] = file, tensor
        if not path.is_dir() and not any(name.startswith(UNET) for name in header):
            raise MissingBase(f"{path} holds no whole model: nothing in it begins with {UNET}")
        return cls(path, found, header)

    @property
    def is_folder(self) -> bool:
        return self.path.is_dir()

    @cached_property
    def layers(self) -> dict[str, Place]:
        """Where each layer's weight stands, by the layer's name as `backbones.layer_names` has it."""
        if self.is_folder:
            return {layer: Place(name) for name in self.header if (layer := folder_layer(name))}
        found: dict[str, Place] = {}
        for name in self.header:
            found |= {layer: place for layer, place in original_layers(name, self._each) if layer}
        return found

    @cached_property
    def _each(self) -> int:
        """Residual layers in each block of an original U-Net."""
        return layers_in({name.removeprefix(UNET) for name in self.header if name.startswith(UNET)})

    def place_of(self, name: str) -> str:
        """Where a tensor belongs, as parts are named: ``unet.up_blocks.1...``; empty: to no part that is tuned."""
        if self.is_folder:
            return name
        if name.startswith(UNET):
            path = name.removeprefix(UNET)
            return f"unet.{diffusers_path(path, self._each) or path}"
        sides = {**TRANSFORMERS, **OPEN_CLIP}
        return next((f"{side}.{name.removeprefix(p)}" for p, side in sides.items() if name.startswith(p)), "")

    def read(self, name: str) -> Tensor:
        """One tensor as it stands in its file."""
        from safetensors import safe_open

        part = "" if not self.is_folder else f"{name.partition('.')[0]}."
        with safe_open(self.files[name], framework="pt") as file:
            tensor: Tensor = file.get_tensor(name.removeprefix(part))
        return tensor

    def weight(self, layer: str) -> Tensor:
        """A layer's weight."""
        place = self.layers[layer]
        return place.read(self.read(place.key))

    def metadata(self) -> dict[str, str]:
        """What the one file says of itself; nothing of a folder."""
        return {} if self.is_folder else metadata_of(self.path)

    def rewrite(self, out: Path, change: Callable[[str, Tensor], Tensor], metadata: Mapping[str, str]) -> None:
        """The same model at ``out``, with each tensor as ``change`` makes it; one at a time is held in memory."""

        def made(name: str) -> Tensor:
            before = self.read(name)
            after = change(name, before)
            assert after.shape == before.shape
            return after.to(before.dtype)

        by_file: dict[Path, list[str]] = {}
        for name, file in self.files.items():
            by_file.setdefault(file, []).append(name)
        if self.is_folder:
            copy_without(self.path, out, by_file)
        done = 0
        for file, names in by_file.items():
            prefix = f"{file.parent.name}." if self.is_folder else ""
            target = out / file.relative_to(self.path) if self.is_folder else out
            said = {**metadata_of(file), "format": "pt"} if self.is_folder else metadata
            header = {name.removeprefix(prefix): self.header[name] for name in names}
            with replacing(target) as temporary, temporary.open("wb") as opened:
                opened.write(header_of(header, said))
                for name in in_order(header):
                    opened.write(bytes_of(made(prefix + name)))
                    done += 1
                    report("writing tensors", done, len(self.files))


def folder_layer(name: str) -> str:
    """The layer that a tensor of a diffusers folder is the weight of; empty for biases, norms and look-up tables."""
    layer, _, end = name.rpartition(".")
    if end != "weight" or "norm" in layer.rpartition(".")[2] or "embedding." in f"{layer.rpartition('.')[2]}.":
        return ""
    side, _, path = layer.partition(".")
    return layer if side == "unet" else f"{side}.text_model.{path.removeprefix('text_model.')}"


def original_layers(name: str, each: int) -> Iterator[tuple[str, Place]]:
    """The layers whose weights a tensor of the one file is: one, three, or none."""
    if name.startswith(UNET) and name.endswith(".weight"):
        path = diffusers_path(name.removeprefix(UNET).removesuffix(".weight"), each)
        yield folder_layer(f"unet.{path}.weight") if path else "", Place(name)
    for prefix, side in TRANSFORMERS.items():
        if name.startswith(prefix):
            yield folder_layer(f"{side}.{name.removeprefix(prefix)}"), Place(name)
    for prefix, side in OPEN_CLIP.items():
        found = re.fullmatch(re.escape(prefix) + r"transformer\.resblocks\.(\d+)\.(.+?)[._]weight", name)
        if found is None:
            continue
        block = f"{side}.text_model.encoder.layers.{found[1]}"
        if found[2] == "attn.in_proj":
            for third, layer in enumerate(THIRDS):
                yield f"{block}.self_attn.{layer}", Place(name, third=third)
        for ours, theirs in LAYER.items():
            if found[2] == theirs:
                yield folder_layer(f"{block}.{ours}.weight"), Place(name)


def shapes_in(file: Path) -> dict[str, Tensor]:
    """Shape and type of each tensor of a file, without values."""
    from safetensors import safe_open

    types = {name: kind for kind, name in DTYPES.items()}
    with safe_open(file, framework="pt") as opened:
        slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
        strange = [name for name, part in slices.items() if part.get_dtype() not in types]
        if strange:
            raise RecipeError(f"{file}: {strange[0]} is of type {slices[strange[0]].get_dtype()}, which is not handled")
        return {
            name: torch.empty(part.get_shape(), dtype=types[part.get_dtype()], device="meta")
            for name, part in slices.items()
        }


def metadata_of(file: Path) -> dict[str, str]:
    """What a safetensors file says of itself."""
    from safetensors import safe_open

    with safe_open(file, framework="pt") as opened:
        return dict(opened.metadata() or {})


def copy_without(folder: Path, out: Path, left: Collection[Path]) -> None:
    """A folder without some of its files."""
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and path not in left):
        target = out / file.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
