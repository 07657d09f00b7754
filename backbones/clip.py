"""Pictures and words in one space: any CLIP that open_clip can build, from weights on this disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from backbones.clip_files import LOCAL, fingerprint_of, full_name
from backbones.pieces import pieces
from backbones.quiet import offline_and_quiet
from core.errors import MissingBase
from core.pixels import Pixels

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """One CLIP. Vectors are float32 of unit length, so that a dot product is a cosine."""

    model: Any
    tokenize: Callable[[list[str]], torch.Tensor]
    prepare: Callable[[Image.Image], torch.Tensor]
    fingerprint: str
    device: str = "cpu"

    @classmethod
    def open(cls, name: str = "pocket", *, device: str = "cpu") -> Clip:
        """``"pocket"``, ``"local-dir:FOLDER"`` or ``"MODEL:FILE"``. `MissingBase` at once; no hub is ever asked."""
        name = full_name(name)
        fingerprint = fingerprint_of(name)
        offline_and_quiet()
        import open_clip

        model_name, _, path = name.partition(":")
        try:
            if name.startswith(LOCAL):
                model_name = f"{LOCAL}{Path(path).expanduser()}"
                model, _, prepare = open_clip.create_model_and_transforms(model_name, device=device)
            else:
                weights = str(Path(path).expanduser())
                model, _, prepare = open_clip.create_model_and_transforms(model_name, pretrained=weights, device=device)
            tokenize = open_clip.get_tokenizer(model_name)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise MissingBase(f"clip: {name} cannot be loaded: {str(error).splitlines()[0]}") from error
        return cls(
            model=model.eval().requires_grad_(False),
            tokenize=tokenize,
            prepare=prepare,
            fingerprint=fingerprint,
            device=device,
        )

    @torch.inference_mode()
    def embed_pictures(self, pictures: Sequence[Pixels]) -> Vectors:
        """(n, d), one unit vector per picture of any size."""
        made = []
        for some in pieces(pictures, self.device, 64):
            prepared = torch.stack([self.prepare(Image.fromarray(picture)) for picture in some])
            made.append(self.model.encode_image(prepared.to(self.device), normalize=True))
        return _vectors(made)

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, d), one unit vector per text; a longer text than the model takes is cut."""
        made = [self._texts(self.tokenize(list(some)).to(self.device)) for some in pieces(texts, self.device, 64)]
        return _vectors(made)

    def _texts(self, ids: torch.Tensor) -> torch.Tensor:
        """Only as many places as the longest text has: a place sees none after it, so the rest would change nothing."""
        model = self.model
        if getattr(model, "text_pool_type", "") != "argmax" or not hasattr(model, "attn_mask"):
            return cast(torch.Tensor, model.encode_text(ids, normalize=True))
        ends = ids.argmax(1)
        length = int(ends.max()) + 1
        seen = model.token_embedding(ids[:, :length]) + model.positional_embedding[:length]
        seen = model.ln_final(model.transformer(seen, attn_mask=model.attn_mask[:length, :length]))
        pooled = seen[torch.arange(len(ids), device=ids.device), ends] @ model.text_projection
        return torch.nn.functional.normalize(pooled, dim=-1)


def _vectors(made: Sequence[torch.Tensor]) -> Vectors:
    if not made:
        return np.zeros((0, 0), dtype=np.float32)
    return torch.cat(list(made)).float().cpu().numpy()
