"""Textual inversion while it trains: vectors on the text encoder's look-up table, and the files they are kept in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from backbones.backbone import Backbone, Conditioning
from training.standing import Standing
from training.tensors import write_pt, write_tensors


class WordTraining(Standing):
    """Only the vectors are trained; the text encoder hands the gradient through."""

    def __init__(self, backbone: Backbone, word: str, initial: str, count: int | None) -> None:
        (encoder,) = backbone.text_encoders.values()
        tokens = backbone.tokens_of(initial)
        count = count or len(tokens)
        table = encoder.get_input_embeddings().weight  # type: ignore[operator]
        # as the web UI spreads words over vectors
        rows = table.detach()[[tokens[number * len(tokens) // count] for number in range(count)]]
        vectors = nn.Parameter(rows.float().clone())
        self.word = word
        super().__init__(backbone, backbone.learn_word(word, vectors), {"vectors": vectors})

    def conditioning(self, captions: Sequence[str], cached: Conditioning, step: int) -> Conditioning:  # noqa: ARG002
        return self.backbone.text_states(captions)

    def export(self, folder: Path, metadata: Mapping[str, str]) -> None:
        vectors = self._trained["vectors"].detach().cpu()
        kind = f"{self.backbone.architecture}/textual-inversion"
        said = {**metadata, "format": "pt", "velatura.word": self.word, "modelspec.architecture": kind}
        write_tensors(folder / "embedding.safetensors", {"emb_params": vectors}, said)
        write_tensors(folder / "learned_embeds.safetensors", {self.word: vectors}, said)
        web_ui = {
            "string_to_token": {"*": 265},
            "string_to_param": {"*": vectors},
            "name": self.word,
            "step": int(metadata.get("ss_steps", "0")),
            "sd_checkpoint": metadata.get("velatura.base_sha256", "")[:10] or None,
            "sd_checkpoint_name": None,
        }
        write_pt(folder / "embedding.pt", web_ui)
