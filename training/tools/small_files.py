"""Embeddings and hypernetworks between the web UI's .pt, read without running anything in it, and safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from backbones.adapter_files import tensors_of
from backbones.hypernetworks import DESCRIPTION, by_width, description_of, flat_networks
from backbones.words import TWO
from training.files import web_ui_embedding
from training.tensors import write_pt, write_tensors
from training.tools.model_files import metadata_of


@dataclass(frozen=True)
class Embedding:
    """A learned word: its vectors by the text encoder that they are for (one, or SDXL's two)."""

    word: str
    vectors: Mapping[str, Tensor]
    """``emb_params`` (n, width), or ``clip_l`` and ``clip_g``"""
    metadata: Mapping[str, str]

    @classmethod
    def read(cls, file: Path) -> Embedding:
        """Of any of its layouts."""
        tensors = tensors_of(file)
        said = metadata_of(file) if file.suffix == ".safetensors" else {}
        if "string_to_param" in tensors:
            (vectors,) = tensors["string_to_param"].values()
            kept = {"ss_steps": str(tensors.get("step") or 0)}
            word, found = str(tensors.get("name") or file.stem), {"emb_params": vectors}
        elif set(TWO) <= set(tensors):
            word, found = said.get("velatura.word") or file.stem, {end: tensors[end] for end in TWO}
            kept = said
        else:
            ((name, vectors),) = tensors.items()
            word = said.get("velatura.word") or (file.stem if name == "emb_params" else str(name))
            kept, found = said, {"emb_params": vectors}
        return cls(word, {end: t.detach().reshape(-1, t.shape[-1]) for end, t in found.items()}, kept)

    def to(self, dtype: torch.dtype) -> Embedding:
        """The same in another precision."""
        return Embedding(self.word, {end: t.to(dtype) for end, t in self.vectors.items()}, self.metadata)

    def write(self, path: Path, layout: str) -> None:
        """``kohya`` (one safetensors file for all), ``diffusers`` (under its word) or ``web_ui`` (.pt)."""
        said = {**self.metadata, "format": "pt", "velatura.word": self.word}
        if layout == "kohya" or (layout == "diffusers" and len(self.vectors) > 1):  # of SDXL all programs have one file
            write_tensors(path, dict(self.vectors), said)
            return
        if len(self.vectors) > 1:
            write_pt(path, self.vectors)
            return
        vectors = self.vectors["emb_params"]
        if layout == "diffusers":
            write_tensors(path, {self.word: vectors}, said)
            return
        write_pt(path, web_ui_embedding(self.word, vectors, self.metadata))


def convert_hypernetwork(file: Path, path: Path, dtype: torch.dtype | None) -> None:
    """From .pt to safetensors or back, by the suffix of ``path``."""
    tensors = tensors_of(file)
    described = description_of(tensors, file)
    flat = {name: t.to(dtype or t.dtype).contiguous() for name, t in flat_networks(tensors).items()}
    if path.suffix == ".safetensors":
        write_tensors(path, flat, {"format": "pt", DESCRIPTION: json.dumps(described, sort_keys=True)})
    else:
        write_pt(path, {**by_width(flat), **described})
