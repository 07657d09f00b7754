"""How captions are varied and read in training: the `train.captions:` part of a recipe. Text states stay cacheable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from core.marks import KEEP_LAST_TOKENS, KEEP_TOKENS
from core.seeding import generator


class Captions(BaseModel):
    """Each picture gets a fixed number of drawn wordings, which are encoded once; every showing draws one of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shuffle: bool = False
    """tags, which are what stands between commas, come in another order each time"""
    keep_tokens: int = Field(default=0, ge=0)
    """so many tags stay first and are never dropped; a dataset of kohya's may say another number for a picture"""
    tag_dropout: float = Field(default=0.0, ge=0, lt=1)
    """chance of each tag to be left out"""
    between: str = ""
    """what stands between several captions of one picture, such as "||"; one of them is drawn. Empty: there is one"""
    wordings: int = Field(default=8, ge=1)
    """how many are drawn of each picture; more vary more, and each is encoded once"""
    tokens: Literal[75, 150, 225] = 75
    """how much of a caption is read; past 75 it goes through the text encoder in pieces, as in the web UI"""
    emphasis: bool = False
    r"""(word:1.3), (word) and [word] weigh words as in the web UI; \( and \) are parentheses. False: plain text"""

    @property
    def varies(self) -> bool:
        """Whether one caption becomes several wordings."""
        return self.shuffle or self.tag_dropout > 0

    def said(self, caption: str) -> list[str]:
        """The captions that one caption holds; the first is the one that is measured with."""
        several = [part.strip() for part in caption.split(self.between)] if self.between else [caption]
        return [part for part in several if part] or [""]

    def wordings_of(self, record: str, caption: str, tags: Sequence[str] = ()) -> tuple[str, ...]:
        """What a picture is shown with, each equally often; they follow from the picture's name. ``tags``: its marks.

        The same wording may stand there twice: a caption of two tags has only two orders.
        """
        captions = self.said(caption)
        if not self.varies:
            return tuple(captions)
        first = marked(tags, KEEP_TOKENS, self.keep_tokens)
        last = marked(tags, KEEP_LAST_TOKENS, 0)
        return tuple(
            self._varied(captions[number % len(captions)], record, number, first, last)
            for number in range(max(self.wordings, len(captions)))
        )

    def _varied(self, caption: str, record: str, number: int, first: int, last: int) -> str:
        rng = generator("wording", record, caption, number)
        tags = [tag.strip() for tag in caption.split(",") if tag.strip()]
        last = min(last, max(0, len(tags) - first))
        head, free, tail = tags[:first], tags[first : len(tags) - last], tags[len(tags) - last :]
        if self.tag_dropout:
            free = [tag for tag, drawn in zip(free, rng.random(len(free)), strict=True) if drawn >= self.tag_dropout]
        if self.shuffle:
            free = [free[at] for at in rng.permutation(len(free))]
        return ", ".join([*head, *free, *tail])


def marked(tags: Sequence[str], mark: str, otherwise: int) -> int:
    """The number that a picture's own mark says, or else the recipe's."""
    found = [tag.removeprefix(mark) for tag in tags if tag.startswith(mark)]
    return next((int(number) for number in found if number.isdigit()), otherwise)
