"""A sentence about each picture from any captioner of transformers (BLIP, GIT, ...) in a folder of yours."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import Field

from captioning.captioner import Batch, Captioner
from captioning.filling import check, fill
from captioning.source_words import NAMES, source_words
from core.caption import Caption
from core.hashing import digest

if TYPE_CHECKING:
    from backbones.image_to_text import ImageToText as Model

AT_ONCE = 8
"""pictures that are described together"""


class ImageToText(Captioner):
    """``template`` may use ``{caption}``, ``{trigger}``, ``{class_word}``, ``{name}`` and ``{folder}``."""

    folder: str
    """the model with its processor, as `save_pretrained` writes them; nothing is downloaded, no code of it is run"""
    prompt: str = ""
    """how a caption begins, or what is asked, where the model takes words as well"""
    beams: int = Field(3, ge=1, le=64)
    """sentences that are followed at once; 1 takes the likeliest word each time"""
    most: int = Field(30, ge=1, le=256)
    """tokens of the longest sentence"""
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
        from backbones.image_to_text import ImageToText as Model

        return Model.open(self.folder)

    @cached_property
    def _key(self) -> str:
        from backbones.image_to_text import fingerprint_of

        return fingerprint_of(self.folder)

    @property
    def engine(self) -> str:
        """Parameters and model."""
        return f"{self.fingerprint}-{self._key[:8]}"

    def engines(self, batch: Batch) -> dict[str, str]:
        return {record.id: f"{self.engine}-{digest(record.tags, length=6)}" for record in batch.records}

    def captions(self, batch: Batch) -> list[Caption]:
        made = []
        for start in range(0, len(batch.records), AT_ONCE):
            some = batch.records[start : start + AT_ONCE]
            texts = self._model.describe([batch.read(record) for record in some], self.prompt, self.beams, self.most)
            for record, text in zip(some, texts, strict=True):
                words = {**source_words(record, self.trigger, self.class_word), "caption": text}
                made.append(Caption(record.id, fill(self.template, words)))
        return made
