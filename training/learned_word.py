"""Textual inversion while it trains: vectors on the text encoder's look-up table, and the files they are kept in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from backbones.backbone import Backbone, Conditioning
from training.files import web_ui_embedding
from training.standing import Standing
from training.tensors import write_pt, write_tensors


class WordTraining(Standing):
    """Only the vectors are trained; the text encoder hands the gradient through."""

    def __init__(self, backbone: Backbone, word: str, initial: str, count: int | None) -> None:
        tokens = backbone.tokens_of(initial)
        count = count or len(tokens)
        # as the web UI spreads words over vectors
        chosen = [tokens[number * len(tokens) // count] for number in range(count)]
        tables = [encoder.get_input_embeddings().weight for encoder in backbone.text_encoders.values()]  # type: ignore[operator]
        vectors = [nn.Parameter(table.detach()[chosen].float().clone()) for table in tables]
        self.word = word
        trained = dict(zip(backbone.vectors, vectors, strict=True))
        super().__init__(backbone, backbone.learn_word(word, vectors), trained)

    def conditioning(self, captions: Sequence[str], cached: Conditioning, step: int) -> Conditioning:  # noqa: ARG002
        return {**cached, **self.backbone.text_states(captions)}

    def begin(self, file: Path) -> str:
        from training.beginning import begin_word

        return begin_word(self._trained, file)

    def export(self, folder: Path, metadata: Mapping[str, str]) -> None:
        vectors = {name: parameter.detach().cpu() for name, parameter in self._trained.items()}
        kind = f"{self.backbone.architecture}/textual-inversion"
        said = {**metadata, "format": "pt", "velatura.word": self.word, "modelspec.architecture": kind}
        write_tensors(folder / "embedding.safetensors", vectors, said)
        if len(vectors) > 1:  # of SDXL all programs have one file with both, diffusers too
            write_tensors(folder / "learned_embeds.safetensors", vectors, said)
            write_pt(folder / "embedding.pt", {**vectors, "name": self.word})
            return
        ((_, only),) = vectors.items()
        write_tensors(folder / "learned_embeds.safetensors", {self.word: only}, said)
        write_pt(folder / "embedding.pt", web_ui_embedding(self.word, only, said))
