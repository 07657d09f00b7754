"""The first stage: packages fetched, pictures rendered once; afterwards everybody reads the same table."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from scripts.pocket import concepts as names
from scripts.pocket import packages
from scripts.pocket.concepts import Concept
from scripts.pocket.pictures import Pictures, render

BASE_STYLES = ("noto", "twemoji", "fluent")


@dataclass(frozen=True)
class Data:
    """All concepts and pictures, and the splits. ``folder`` holds the work in progress."""

    folder: Path

    @cached_property
    def concepts(self) -> list[Concept]:
        """Every concept, in order."""
        return names.read(packages.WORDS.fetch(self.folder / "npm"))

    @cached_property
    def by_code(self) -> dict[str, Concept]:
        """Code point -> concept."""
        return {concept.code: concept for concept in self.concepts}

    @cached_property
    def rank(self) -> dict[str, int]:
        """Code point -> place among the concepts."""
        return {concept.code: i for i, concept in enumerate(self.concepts)}

    @cached_property
    def pictures(self) -> Pictures:
        """All pictures of all styles, OpenMoji included; rendered at the first call."""
        path = self.folder / "pictures.npz"
        if not path.exists():
            fetched = {style: package.fetch(self.folder / "npm") for style, package in packages.STYLES.items()}
            render(self.concepts, fetched, os.cpu_count() or 1).save(path)
        return Pictures.load(path)

    @cached_property
    def held_out(self) -> set[str]:
        """Concepts that VAE and U-Net never see."""
        return names.held_out(self.concepts)

    @cached_property
    def unseen_twemoji(self) -> set[str]:
        """Concepts whose Twemoji the CLIP never sees."""
        return names.unseen_twemoji(self.concepts)

    @property
    def codes(self) -> set[str]:
        """All code points."""
        return set(self.by_code)

    def for_clip(self) -> Pictures:
        """What the CLIP learns from: all styles but OpenMoji, and only half of Twemoji."""
        rows = [
            i
            for i, (style, code) in enumerate(zip(self.pictures.styles, self.pictures.codes, strict=True))
            if style != "openmoji" and not (style == "twemoji" and code in self.unseen_twemoji)
        ]
        return self.pictures.take(rows)

    def for_vae(self) -> Pictures:
        """What the VAE learns from: all styles but OpenMoji, without the held-out concepts."""
        return self.pictures.where(set(packages.STYLES), self.codes - self.held_out)

    def for_unet(self) -> Pictures:
        """What the U-Net learns from: the drawn concepts in the three base styles."""
        drawn = {concept.code for concept in self.concepts if concept.name in names.DRAWN}
        return self.pictures.where(set(BASE_STYLES), drawn)


def tensor(pictures: Pictures) -> Tensor:
    """Straight RGBA in 0..1, channels first."""
    return torch.from_numpy(pictures.pixels).permute(0, 3, 1, 2).float() / 255
