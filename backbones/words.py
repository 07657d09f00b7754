"""Textual inversion (Gal et al. 2022) in use: learned vectors stand where a word was in what the text encoder reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from backbones.tuning import Tuning

if TYPE_CHECKING:
    from backbones.backbone import Backbone


class LearnedWord(Tuning):
    """On the look-up tables of the text encoders: numbers past their end mean the learned vectors.

    Wherever the word's own tokens stand in a text, the vectors take their place, as in the web UI. Each text encoder
    has vectors (n, width) of its own, equally many.
    """

    words = True

    def __init__(self, tables: Sequence[nn.Embedding], tokens: Sequence[int], vectors: Sequence[Tensor]) -> None:
        self.tokens, self.vectors = list(tokens), list(vectors)
        self.count = len(self.vectors[0])
        self.first = max(table.num_embeddings for table in tables)
        self._on = True
        self._hooks = []
        for table, own in zip(tables, self.vectors, strict=True):
            asked: list[Tensor] = []
            self._hooks.append(table.register_forward_pre_hook(self._before(asked)))
            self._hooks.append(table.register_forward_hook(self._after(asked, own)))

    def _before(self, asked: list[Tensor]) -> Any:
        def before(table: nn.Embedding, given: tuple[Tensor]) -> tuple[Tensor]:
            asked[:] = given
            return (given[0].clamp(max=table.num_embeddings - 1),)

        return before

    def _after(self, asked: list[Tensor], vectors: Tensor) -> Any:
        def after(_table: nn.Embedding, _given: tuple[Tensor], found: Tensor) -> Tensor:
            own = (asked[0] - self.first).clamp(min=0, max=self.count - 1)
            learned = (asked[0] >= self.first).unsqueeze(-1)
            return torch.where(learned, vectors[own].to(found.dtype), found)

        return after

    def put_into(self, tokens: Sequence[int]) -> list[int]:
        """Token numbers of a text, with the vectors' own where the word stands."""
        if not self._on:
            return list(tokens)
        given, length = list(tokens), len(self.tokens)
        put: list[int] = []
        while given:
            if given[:length] == self.tokens:
                put += range(self.first, self.first + self.count)
                given = given[length:]
            else:
                put.append(given.pop(0))
        return put

    def switch(self, *, on: bool) -> None:
        self._on = on

    def remove(self) -> None:
        for hook in self._hooks:
            hook.remove()


TWO = ("clip_l", "clip_g")
"""what files for the two text encoders of SDXL call their vectors"""


def is_embedding(tensors: Mapping[str, Any]) -> bool:
    """Whether it is an embedding: the web UI's, kohya's, or diffusers' with one word and nothing else."""
    if "emb_params" in tensors or "string_to_param" in tensors or set(TWO) <= set(tensors):
        return True
    return len(tensors) == 1 and all(isinstance(t, Tensor) and t.dim() in (1, 2) for t in tensors.values())


def from_embedding(backbone: Backbone, tensors: Mapping[str, Any], file: Path, strength: float) -> Tuning:
    """Put it on under the word that the file names, or else the file's own name, as the web UI does."""
    if strength != 1.0:
        raise ValueError("a learned word has no strength but 1; weaken it in the prompt instead")
    said = ""
    if "string_to_param" in tensors:
        found, said = list(tensors["string_to_param"].values()), str(tensors.get("name") or file.stem)
    elif set(TWO) <= set(tensors):
        found, said = [tensors[name] for name in TWO], str(tensors.get("name") or "")
    else:
        ((name, only),) = tensors.items()
        found, said = [only], "" if name == "emb_params" else str(name)
    if len(found) != len(backbone.text_encoders):
        raise ValueError(f"it has vectors for {len(found)} text encoders, this base has {len(backbone.text_encoders)}")
    word = word_of(file) or said or file.stem
    vectors = [one.detach().float().reshape(-1, one.shape[-1]).to(backbone.device) for one in found]
    return backbone.learn_word(word, vectors)


def word_of(file: Path) -> str:
    """The word in the metadata of a file that we wrote; empty where there is none."""
    from safetensors import safe_open

    if file.suffix != ".safetensors":
        return ""

    with safe_open(file, framework="pt") as opened:
        return str((opened.metadata() or {}).get("velatura.word", ""))
