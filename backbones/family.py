"""A family is one architecture of base model. `family_of` finds the right one for what a recipe calls its base."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from backbones import hub
from backbones.files import Files
from backbones.folder import DiffusersFolder, header_of
from backbones.original import Original
from core.block import Block
from core.errors import MissingBase

if TYPE_CHECKING:
    from backbones.backbone import Backbone

Precision = Literal["fp32", "bf16", "fp16"]
POCKET = Path(__file__).parent / "pocket"
"""the base that comes with Velatura, a stock diffusers folder"""
UNKNOWN = "unknown"
"""what a base predicts, where its files do not say it and its family has both: the loaded network is asked"""
EXPECTED = '"pocket", a diffusers folder, a .safetensors file, or the name of a model on the hub (owner/name)'


class Family(Block, family="backbones.families"):
    """Knows a base model's files and loads it."""

    path: str
    """a diffusers folder, or one original file (.safetensors)"""
    original: ClassVar[Original | None] = None
    """how the family's single files are; none: they are not read"""

    @classmethod
    @abstractmethod
    def recognises(cls, files: Files) -> bool:
        """Whether model_index.json (and configurations, where it needs them) are of this family."""

    @abstractmethod
    def check(self) -> None:
        """`MissingBase` unless every part is there and whole, and of a kind that can be trained. Loads nothing."""

    @property
    @abstractmethod
    def prediction(self) -> str:
        """What the base predicts, an objective's `predicts`; ``unknown`` where only the loaded network can tell."""

    @abstractmethod
    def load(self, *, device: str = "cpu", precision: Precision = "fp32") -> Backbone:
        """The base, frozen. ``precision`` is the denoising network's; `MissingBase` at once where a part is missing."""

    @cached_property
    def files(self) -> Files:
        """The base's files."""
        return files_at(Path(self.path))


def files_at(path: Path) -> Files:
    """The files of a base in a folder or one file; `MissingBase` where no family knows them."""
    if path.is_dir():
        if not (path / "model_index.json").is_file():
            raise MissingBase(
                f"base: {path} has no model_index.json; expected a diffusers folder as `save_pretrained` writes it "
                "(model_index.json, unet/, vae/, text_encoder/, tokenizer/, scheduler/)"
            )
        return DiffusersFolder(path)
    from backbones.one_file import SingleFile

    if path.suffix in (".ckpt", ".pt", ".bin"):
        raise MissingBase(
            f"base: {path} is a pickle, which can run code and is never loaded. Convert it once to .safetensors where "
            "you trust it: most web UIs do it in their checkpoint merger, diffusers with `from_single_file` and "
            "`save_pretrained`"
        )
    if path.suffix != ".safetensors":
        raise MissingBase(f"base: {path} is a file; expected {EXPECTED}")
    names = header_of(path).keys()
    for kind in Family.kinds():
        original = Family.of_kind(kind).original
        if original is not None and original.recognises(names):
            return SingleFile(path, original)
    raise MissingBase(f"base: {path} {what_it_is(names)}; expected {EXPECTED}")


def what_it_is(names: object) -> str:
    """What a .safetensors file that is no base seems to be, by its tensors' names."""
    text = "\n".join(map(str, names))  # type: ignore[call-overload]
    marks = {
        "lora_": "is an adapter (LoRA), which goes on a base",
        "emb_params": "is a learned word (embedding), which goes on a base",
        "double_blocks.": "is a FLUX model, a family that is not known here",
        "joint_blocks.": "is an SD 3 model, a family that is not known here",
        "conditioner.embedders.0.model.": "is SDXL's refiner, which is not trained here; take the base model",
        "model.diffusion_model.": "holds a U-Net of no known family, or no text encoder beside it",
        "first_stage_model.": "holds an autoencoder only",
        "down_blocks.": "is one part of a diffusers folder; name the folder that has model_index.json",
    }
    return next((words for mark, words in marks.items() if mark in text), "is no base model of a known family")


def files_of(base: str) -> Files:
    """The files of what a recipe calls its base. Looks at names and configurations only.

    A model of the hub is taken from the hub's local cache; what is missing there is fetched, if a network is there.
    """
    path = POCKET if base == "pocket" else Path(base).expanduser()
    if path.exists():
        return files_at(path)
    if not hub.is_name(base):
        what = "file" if path.suffix in (".safetensors", ".ckpt") else "folder"
        raise MissingBase(f"base: there is no {what} {path}; expected {EXPECTED}")
    cached = hub.cached(base)
    if cached is None or not whole(cached):
        cached = hub.fetched(base, lacking=why_not_whole(cached))
    return files_at(cached)


def family_of(base: str) -> Family:
    """The family of what a recipe calls its base. Loads no weights."""
    files = files_of(base)
    for kind in Family.kinds():
        family = Family.of_kind(kind)
        if family.recognises(files):
            return family(path=str(files.path))
    pipeline = files.index.get("_class_name")
    raise MissingBase(f"base: {files.path} is a {pipeline}, which no family knows; known: {', '.join(Family.kinds())}")


def whole(folder: Path) -> bool:
    """Whether a folder holds a whole base."""
    return not why_not_whole(folder)


def why_not_whole(folder: Path | None) -> str:
    """What is missing in a folder for a whole base, in words; empty where nothing is."""
    if folder is None:
        return "nothing of it"
    try:
        family_of(str(folder)).check()
    except MissingBase as error:
        return str(error)
    return ""
