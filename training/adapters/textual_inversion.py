"""Textual inversion (Gal et al. 2022): learns only what a word means. A few kilobytes; overfits little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from core.errors import RecipeError
from training.adapter import Adapter

if TYPE_CHECKING:
    from backbones.backbone import Backbone
    from training.learned_word import WordTraining


class TextualInversion(Adapter):
    """Vectors in place of a word, wherever it stands in a caption. The web UI and diffusers read the files."""

    files: ClassVar[Mapping[str, str]] = {
        "weights": "embedding.safetensors",
        "web_ui": "embedding.pt",
        "diffusers": "learned_embeds.safetensors",
    }

    word: str = Field(min_length=1)
    """the word that learns; the captioner's trigger is usual, since captions must have it"""
    initial: str = ""
    """words whose meaning it starts with, such as "a drawing"; empty: what the word means to the base already"""
    vectors: int | None = Field(default=None, ge=1, le=73)
    """how many vectors stand for it; null: as many as the words it starts with have tokens; 2 to 8 is usual"""

    def check(self, captions: Sequence[str]) -> None:
        if not any(self.word.lower() in caption.lower() for caption in captions):
            raise RecipeError(
                f"train.adapter.word: no caption has the word {self.word!r}, so nothing would be learned; "
                "set captioner.trigger to it, or name a word that the captions have"
            )

    def attach(self, backbone: Backbone) -> WordTraining:
        from training.learned_word import WordTraining

        return WordTraining(backbone, self.word, self.initial or self.word, self.vectors)
