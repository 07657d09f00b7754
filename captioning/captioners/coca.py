"""A sentence about each picture from open_clip's CoCa, whose weights you name."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from captioning.captioner import Batch, Captioner
from captioning.filling import check, fill
from captioning.source_words import NAMES, source_words
from core.caption import Caption
from core.hashing import digest
from core.seeding import generator

if TYPE_CHECKING:
    from backbones.coca import Coca as Model

AT_ONCE = 16
"""pictures that are described together"""


class Coca(Captioner):
    """``template`` may use ``{caption}``, ``{trigger}``, ``{class_word}``, ``{name}`` and ``{folder}``."""

    model: str
    """`local-dir:FOLDER`, or `MODEL:FILE` such as `coca_ViT-L-14:weights.safetensors`; nothing is downloaded"""
    decoding: Literal["greedy", "top_k", "beam"] = "beam"
    """the likeliest word each time; drawn from the likeliest; or the likeliest sentence of several"""
    beams: int = Field(6, ge=2, le=64)
    """with `beam`: sentences that are followed at once"""
    top_k: int = Field(20, ge=1)
    """with `top_k`: words to draw from"""
    temperature: float = Field(1.0, gt=0)
    """with `top_k`: below 1 the likely words become likelier"""
    seed: int = 0
    """with `top_k`: another one draws other words"""
    least: int = Field(5, ge=0)
    """tokens of the shortest sentence"""
    most: int = Field(30, ge=1, le=75)
    """tokens of the longest"""
    trigger: str = ""
    """a word of your own that stands for the subject or the style"""
    class_word: str = ""
    """if empty, the tags that the source gives, such as a kohya folder's class"""
    template: str = "[{trigger}, ]{caption}"
    """the caption: ``{word}`` is replaced, a part in ``[ ]`` goes if a word is missing"""

    def model_post_init(self, _: object) -> None:
        """Refuse a template with places that stay empty for ever."""
        check(self.template, (*NAMES, "caption"))

    @cached_property
    def _model(self) -> Model:
        from backbones.coca import Coca as Model

        return Model.open(self.model)

    @cached_property
    def _key(self) -> str:
        from backbones.clip_files import fingerprint_of, full_name

        return fingerprint_of(full_name(self.model))

    @property
    def engine(self) -> str:
        """Parameters and model."""
        return f"{self.fingerprint}-{self._key[:8]}"

    def engines(self, batch: Batch) -> dict[str, str]:
        return {record.id: f"{self.engine}-{digest(record.tags, length=6)}" for record in batch.records}

    def captions(self, batch: Batch) -> list[Caption]:
        if not batch.records:
            return []
        from backbones.coca import Manner

        manner = Manner(self.decoding, self.beams, self.top_k, self.temperature, self.least, self.most)
        made = []
        for start in range(0, len(batch.records), AT_ONCE):
            some = batch.records[start : start + AT_ONCE]
            rngs = [generator(record.id, self.fingerprint, self.seed) for record in some]
            texts = self._model.describe([batch.read(record) for record in some], manner, rngs)
            for record, text in zip(some, texts, strict=True):
                words = {**source_words(record, self.trigger, self.class_word), "caption": text}
                made.append(Caption(record.id, fill(self.template, words)))
        return made
