"""Reads an adapter file of any known layout and puts it on a backbone; the file's own tensors say what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from backbones.checkpoints import Checkpoint, checkpoint_of, from_checkpoint
from backbones.hypernetworks import from_hypernetwork, is_hypernetwork
from backbones.layer_files import from_layers, is_layers
from backbones.tuning import Tuning
from backbones.words import from_embedding, is_embedding
from core.errors import MissingBase, RecipeError
from core.hashing import digest, sha256_of_file

if TYPE_CHECKING:
    from backbones.backbone import Backbone

NAME = "velatura"
UNFIT = (RuntimeError, ValueError, KeyError, IndexError, AttributeError)
"""what readers raise where a file is of another base"""


class Loaded(Tuning):
    """A LoRA that diffusers' own loader put on, so that what we measure is what others will see."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self.words = any(part is not pipeline.unet for part in self._parts())

    def switch(self, *, on: bool) -> None:
        for part in self._parts():
            part.enable_adapters() if on else part.disable_adapters()

    def _parts(self) -> list[Any]:
        parts = [getattr(self._pipeline, name, None) for name in ("unet", "text_encoder", "text_encoder_2")]
        return [part for part in parts if getattr(part, "peft_config", None)]

    def remove(self) -> None:
        if any(NAME in part.peft_config for part in self._parts()):
            self._pipeline.delete_adapters(NAME)  # off all parts at once
        if not self._parts():  # no other is left: the modules become those of the base again
            self._pipeline.unload_lora_weights()


def hash_of(file: Path) -> str:
    """Follows from the bytes of a file, or of all files of a folder."""
    if not file.is_dir():
        return sha256_of_file(file)
    inside = sorted(path for path in file.rglob("*") if path.is_file())
    return digest([(str(path.relative_to(file)), sha256_of_file(path)) for path in inside], length=64)


def tuning_from(backbone: Backbone, file: Path, strength: float) -> Tuning:
    """Put the file on the backbone; `RecipeError` where it does not fit or touches nothing of it."""
    try:
        return _tuning_from(backbone, file, strength)
    except UNFIT as error:
        first = str(error).partition("\n")[0]
        raise RecipeError(f"{file} does not fit this base: {first}") from error


def _tuning_from(backbone: Backbone, file: Path, strength: float) -> Tuning:
    if file.is_dir():
        return from_checkpoint(backbone, checkpoint_of(file), strength)
    tensors = tensors_of(file)
    for known, put_on in LAYOUTS:
        if known(tensors):
            return put_on(backbone, tensors, file, strength)
    return from_diffusers(backbone, file, strength)


def tensors_of(file: Path) -> Mapping[str, Any]:
    """What stands in the file, on the CPU. A `.pt` is read without running anything that it may hold."""
    if not file.is_file():
        raise MissingBase(f"there is no adapter file {file}")
    if file.suffix == ".pt":
        return read_pt(file)
    if file.suffix != ".safetensors":
        raise RecipeError(f"{file}: adapters are read from .safetensors files, or .pt for embeddings and hypernetworks")
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(file))
    except SafetensorError as error:
        raise RecipeError(f"{file} is not a whole safetensors file: {error}") from error


def read_pt(file: Path) -> Mapping[str, Any]:
    """A file that torch wrote, if it holds nothing but tensors and plain values."""
    import pickle

    import torch

    try:
        value = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise RecipeError(f"{file} holds more than tensors and plain values, or is broken; it is not loaded") from error
    if not isinstance(value, dict):
        raise RecipeError(f"{file} is neither an embedding nor a hypernetwork")
    return value


def from_diffusers(backbone: Backbone, file: Path, strength: float) -> Tuning:
    """A LoRA in kohya's or diffusers' own layout."""
    pipeline = backbone.pipeline
    try:
        pipeline.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name=NAME, local_files_only=True)
        pipeline.set_adapters(NAME, strength)
    except UNFIT:
        Loaded(pipeline).remove()
        raise
    return Loaded(pipeline)


def _whole(backbone: Backbone, tensors: Mapping[str, Tensor], _file: Path, strength: float) -> Tuning:
    return from_checkpoint(backbone, Checkpoint.single_file(tensors), strength)


Known = Callable[[Mapping[str, Any]], bool]
PutOn = Callable[["Backbone", Mapping[str, Any], Path, float], Tuning]
LAYOUTS: list[tuple[Known, PutOn]] = [
    (Checkpoint.is_single_file, _whole),
    (is_layers, from_layers),
    (is_embedding, from_embedding),
    (is_hypernetwork, from_hypernetwork),
]
"""what is not diffusers' own; the first that knows the tensors reads them"""
