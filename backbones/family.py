"""A family is one architecture of base model. `family_of` finds the right one for what a recipe calls its base."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from backbones.folder import read_json
from core.block import Block
from core.errors import MissingBase

if TYPE_CHECKING:
    from backbones.backbone import Backbone

Precision = Literal["fp32", "bf16", "fp16"]
POCKET = Path(__file__).parent / "pocket"
"""the base that comes with Velatura, a stock diffusers folder"""


class Family(Block, family="backbones.families"):
    """Knows a base model's folder and loads it."""

    path: str
    """a diffusers folder"""

    @classmethod
    @abstractmethod
    def recognises(cls, folder: Path) -> bool:
        """Whether the folder's model_index.json (and configurations, where it needs them) are of this family."""

    @abstractmethod
    def load(self, *, device: str = "cpu", precision: Precision = "fp32") -> Backbone:
        """The base, frozen. ``precision`` is the denoising network's; `MissingBase` at once where a part is missing."""


def folder_of(base: str) -> Path:
    """Where the base called ``base`` stands: the packaged one for ``"pocket"``, a folder otherwise."""
    folder = POCKET if base == "pocket" else Path(base).expanduser()
    if folder.is_file():
        raise MissingBase(f"base: {base} is a file; expected a diffusers folder (one with a model_index.json)")
    if not folder.is_dir():
        raise MissingBase(f'base: there is no folder {folder}; expected "pocket" or a diffusers folder')
    if not (folder / "model_index.json").is_file():
        raise MissingBase(
            f"base: {folder} has no model_index.json; expected a diffusers folder as `save_pretrained` writes it "
            "(model_index.json, unet/, vae/, text_encoder/, tokenizer/, scheduler/)"
        )
    return folder


def family_of(base: str) -> Family:
    """The family of what a recipe calls its base: ``"pocket"`` or a diffusers folder. Loads no weights."""
    folder = folder_of(base)
    for kind in Family.kinds():
        family = Family.of_kind(kind)
        if family.recognises(folder):
            return family(path=str(folder))
    pipeline = read_json(folder / "model_index.json", needed_for="knowing the base's family").get("_class_name")
    raise MissingBase(f"base: {folder} is a {pipeline}, which no family knows; known: {', '.join(Family.kinds())}")
