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
    """On the look-up table of a text encoder: numbers past its end mean the learned vectors, the others what they did.

    Wherever the word's own tokens stand in a text, the vectors take their place, as in the web UI.
    """

    words = True

    def __init__(self, table: nn.Embedding, tokens: Sequence[int], vectors: Tensor) -> None:
        self.tokens, self.vectors = list(tokens), vectors
        self.first = table.num_embeddings
        self._on = True
        self._asked: Tensor | None = None
        self._hooks = [table.register_forward_pre_hook(self._before), table.register_forward_hook(self._after)]

    def _before(self, _table: nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
        (self._asked,) = given
        return (self._asked.clamp(max=self.first - 1),)

    def _after(self, _table: nn.Module, _given: tuple[Tensor], found: Tensor) -> Tensor:
        assert self._asked is not None
        own = (self._asked - self.first).clamp(min=0, max=len(self.vectors) - 1)
        learned = (self._asked >= self.first).unsqueeze(-1)
        return torch.where(learned, self.vectors[own].to(found.dtype), found)

    def put_into(self, tokens: Sequence[int]) -> list[int]:
        """Token numbers of a text, with the vectors' own where the word stands."""
        if not self._on:
            return list(tokens)
        given, length = list(tokens), len(self.tokens)
        put: list[int] = []
        while given:
            if given[:length] == self.tokens:
                put += range(self.first, self.first + len(self.vectors))
                given = given[length:]
            else:
                put.append(given.pop(0))
        return put

    def switch(self, *, on: bool) -> None:
        self._on = on

    def remove(self) -> None:
        for hook in self._hooks:
            hook.remove()


def is_embedding(tensors: Mapping[str, Any]) -> bool:
    """Whether it is an embedding: the web UI's, kohya's, or diffusers' with one word and nothing else."""
    if "emb_params" in tensors or "string_to_param" in tensors:
        return True
    return len(tensors) == 1 and all(isinstance(t, Tensor) and t.dim() in (1, 2) for t in tensors.values())


def from_embedding(backbone: Backbone, tensors: Mapping[str, Any], file: Path, strength: float) -> Tuning:
    """Put it on under the word that the file names, or else the file's own name, as the web UI does."""
    if strength != 1.0:
        raise ValueError("a learned word has no strength but 1; weaken it in the prompt instead")
    if "string_to_param" in tensors:
        (vectors,), word = tensors["string_to_param"].values(), str(tensors.get("name") or file.stem)
    else:
        ((name, vectors),) = tensors.items()
        word = word_of(file) or (file.stem if name == "emb_params" else str(name))
    vectors = vectors.detach().float().reshape(-1, vectors.shape[-1])
    return backbone.learn_word(word, vectors.to(backbone.device))


def word_of(file: Path) -> str:
    """The word in the metadata of a file that we wrote."""
    from safetensors import safe_open

    with safe_open(file, framework="pt") as opened:
        return str((opened.metadata() or {}).get("velatura.word", ""))
