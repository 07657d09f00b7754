"""Sentences about pictures from open_clip's CoCa, by a loop of ours: its own needs an older transformers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from backbones.clip import loaded
from backbones.clip_files import fingerprint_of, full_name
from backbones.decoding import Limits, beam, greedy, top_k
from core.errors import MissingBase
from core.pixels import Pixels


@dataclass(frozen=True, slots=True)
class Manner:
    """How texts are chosen."""

    how: str
    """``greedy``, ``top_k`` or ``beam``"""
    beams: int
    k: int
    temperature: float
    least: int
    most: int


@dataclass(frozen=True)
class Coca:
    """One CoCa, from weights on this disk."""

    model: Any
    tokenizer: Any
    prepare: Any
    fingerprint: str

    @classmethod
    def open(cls, name: str) -> Coca:
        """``"local-dir:FOLDER"`` or ``"MODEL:FILE"``; `MissingBase` at once where there is none, or it is no CoCa."""
        name = full_name(name)
        fingerprint = fingerprint_of(name)
        model, tokenizer, prepare = loaded(name, "cpu")
        if not hasattr(model, "text_decoder"):
            raise MissingBase(
                f"coca: {name} is a {type(model).__name__}; only a CoCa, such as coca_ViT-L-14, can speak"
            )
        return cls(model.eval().requires_grad_(False), tokenizer, prepare, fingerprint)

    @torch.inference_mode()
    def describe(self, pictures: Sequence[Pixels], manner: Manner, rngs: Sequence[np.random.Generator]) -> list[str]:
        """A text for each picture."""
        prepared = torch.stack([self.prepare(Image.fromarray(picture)) for picture in pictures])
        _, seen = self.model._encode_image(prepared)
        speaker, limits = Reading(self.model, seen), self.limits(manner)
        if manner.how == "beam":
            texts = beam(speaker, len(pictures), limits, manner.beams)
        elif manner.how == "top_k":
            texts = top_k(speaker, limits, rngs, manner.k, manner.temperature)
        else:
            texts = greedy(speaker, len(pictures), limits)
        return [self.words(ids) for ids in texts]

    def limits(self, manner: Manner) -> Limits:
        """Where a text begins and ends in this model's tokens, and how long it may be."""
        start, end = self.tokenizer([""])[0, :2].tolist()
        most = min(manner.most, self.model.context_length - 1)
        return Limits(start, end, (self.model.pad_id, start), min(manner.least, most), most)

    def words(self, ids: list[int]) -> str:
        """The tokens as a text."""
        decode = getattr(self.tokenizer, "decode", None) or self.tokenizer.tokenizer.decode
        return " ".join(str(decode(ids)).split()).strip(" .,")


class Reading:
    """CoCa's two text towers, reading token after token: what was read stays, so that a step costs one token."""

    def __init__(self, model: Any, seen: Tensor) -> None:
        self.model, self.seen, self.length = model, seen, 0
        blocks = len(model.text.transformer.resblocks) + len(model.text_decoder.resblocks)
        self.read: list[Tensor | None] = [None] * blocks

    def next(self, ids: Tensor) -> Tensor:
        """Logits after one more token."""
        text, decoder = self.model.text, self.model.text_decoder
        x = text.token_embedding(ids) + text.positional_embedding[self.length : self.length + 1]
        layer = 0
        for block in text.transformer.resblocks:
            x, layer = self._attend(block, x, layer), layer + 1
        for block, cross in zip(decoder.resblocks, decoder.cross_attn, strict=True):
            x, layer = self._attend(block, x, layer), layer + 1
            x = cross(x, k_x=self.seen, v_x=self.seen)
        self.length += 1
        return cast(Tensor, (decoder.ln_final(x) @ decoder.text_projection)[:, -1])

    def select(self, rows: Tensor) -> None:
        """Go on with these texts."""
        self.seen = self.seen[rows]
        self.read = [part if part is None else part[rows] for part in self.read]

    def _attend(self, block: Any, x: Tensor, layer: int) -> Tensor:
        """One block for the newest token, which sees all before it."""
        new, before = block.ln_1(x), self.read[layer]
        known = new if before is None else torch.cat([before, new], 1)
        self.read[layer] = known
        x = x + block.ls_1(block.attention(new, known, known))
        return cast(Tensor, x + block.ls_2(block.mlp(block.ln_2(x))))
