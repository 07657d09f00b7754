"""Pictures and words in one space: any CLIP that open_clip can build, from weights on this disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from backbones.clip_files import LOCAL, fingerprint_of, full_name, own_config
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
        model, tokenize, prepare = loaded(name, device)
        return cls(
            model=model.eval().requires_grad_(False),
            tokenize=tokenize,
            prepare=prepare,
            fingerprint=fingerprint,
            device=device,
        )

    @cached_property
    def scale(self) -> float:
        """What a cosine is multiplied with before a softmax or a sigmoid."""
        return float(self.model.logit_scale.exp())

    @cached_property
    def bias(self) -> float | None:
        """What is then added, by a CLIP that was trained with a sigmoid (SigLIP); None for others."""
        bias = getattr(self.model, "logit_bias", None)
        return None if bias is None else float(bias)

    @property
    def at_once(self) -> int:
        """How many pictures go through the network together."""
        return 16 if self.device == "cpu" else 64

    def embed_pictures(self, pictures: Sequence[Pixels]) -> Vectors:
        """(n, d), one unit vector per picture of any size."""
        return self.embed_prepared([self.prepared(picture) for picture in pictures])

    def prepared(self, picture: Pixels) -> torch.Tensor:
        """The picture as the network takes it; may be called from any thread."""
        return self.prepare(Image.fromarray(picture))

    @torch.inference_mode()
    def embed_prepared(self, prepared: Sequence[torch.Tensor]) -> Vectors:
        """(n, d), one unit vector for each of `prepared`'s tensors.

        On a CPU batches are filled up to one size, so that a vector's bits do not depend on how many there are.
        """
        made = []
        for start in range(0, len(prepared), self.at_once):
            some = list(prepared[start : start + self.at_once])
            filled = [*some, *[some[-1]] * (self.at_once - len(some))] if self.device == "cpu" else some
            vectors = self.model.encode_image(torch.stack(filled).to(self.device), normalize=True)
            made.append(vectors[: len(some)])
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


def loaded(name: str, device: str) -> tuple[Any, Callable[[list[str]], torch.Tensor], Callable[..., torch.Tensor]]:
    """Model, tokenizer and preprocessing of any model of open_clip's; `MissingBase` where they cannot be loaded."""
    offline_and_quiet("transformers")
    import open_clip

    model_name, _, path = name.partition(":")
    place = str(Path(path).expanduser())
    if (config := own_config(name)) is not None:
        open_clip.add_model_config(config)
        model_name = config.stem
    try:
        if name.startswith(LOCAL):
            model_name = f"{LOCAL}{place}"
            model, _, prepare = open_clip.create_model_and_transforms(model_name, device=device)
        else:
            model, _, prepare = open_clip.create_model_and_transforms(
                model_name, pretrained=place, device=device, **preparation(model_name)
            )
        return model, open_clip.get_tokenizer(model_name), prepare
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise MissingBase(f"clip: {name} cannot be loaded: {str(error).splitlines()[0]}") from error


def preparation(model_name: str) -> dict[str, Any]:
    """How pictures are prepared for a model of that name, where all its public weights agree.

    open_clip itself looks this up by the name of the weights, and takes OpenAI's for a file: wrong for a SigLIP.
    """
    from open_clip import get_pretrained_cfg, list_pretrained_tags_by_model

    known = [get_pretrained_cfg(model_name, tag) for tag in list_pretrained_tags_by_model(model_name)]
    agreed: dict[str, Any] = {}
    for key, name in (("mean", "image_mean"), ("std", "image_std"), ("interpolation", "image_interpolation")):
        if len({cfg.get(key) for cfg in known}) == 1:
            agreed[name] = known[0].get(key)
    if len({cfg.get("resize_mode") for cfg in known}) == 1:
        agreed["image_resize_mode"] = known[0].get("resize_mode")
    return agreed


def _vectors(made: Sequence[torch.Tensor]) -> Vectors:
    if not made:
        return np.zeros((0, 0), dtype=np.float32)
    return torch.cat(list(made)).float().cpu().numpy()
