"""Refuse pictures that CLIP finds nearer to words such as "watermark" than to neutral ones. The words are yours."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints

from core.record import Reason
from curation.filter import Batch, Filter

Phrase = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Phrases = Annotated[tuple[Phrase, ...], Field(min_length=1)]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]

REFUSED: Mapping[str, tuple[str, ...]] = {
    "watermark": ("a picture with a watermark", "a stock photo with a watermark across it"),
    "text": ("a page of text", "a picture full of words", "a scanned document"),
    "screenshot": ("a screenshot of a website", "a screenshot of a program", "a screenshot of a phone"),
}
NEUTRAL = (
    "a picture",
    "a photo",
    "a drawing",
    "a painting",
    "a photo of a person",
    "a photo of a thing",
    "a landscape",
)


class ZeroShot(Filter):
    """Each reason's score is its share in a softmax between its best phrase and the best neutral one, from 0 to 1.

    The words must be such as the CLIP knows: the pocket CLIP knows emoji and colours, and neither watermarks nor
    screenshots. Look at the scores in `velatura report data` before you trust a threshold.
    """

    refuse: dict[Code, Phrases] = Field(default=dict(REFUSED), min_length=1)
    """reason: phrases; `{watermark: [a watermark, a logo in the corner]}`. What is given takes the defaults' place"""
    neutral: Phrases = NEUTRAL
    """what the pictures that you want may be called"""
    threshold: float = Field(default=0.9, ge=0, le=1)
    """share from which a picture is refused; 0.5 means that both fit equally well"""
    clip: str = "pocket"
    """which CLIP: `pocket`, `local-dir:FOLDER`, or `MODEL:FILE` for any of open_clip's models"""

    @property
    def clips(self) -> tuple[str, ...]:
        return (self.clip,)

    def score(self, batch: Batch) -> dict[str, dict[str, float]]:
        if not batch.records:
            return {}
        from backbones.embedding import Embedder  # a recipe is read without it

        embedder = Embedder.named(self.clip, batch.cache)
        pictures = embedder.pictures(batch.records, batch.read)
        neutral = (pictures @ embedder.texts(self.neutral).T).max(1)
        shares: dict[str, NDArray[np.float32]] = {}
        for code, phrases in self.refuse.items():
            nearer = (pictures @ embedder.texts(phrases).T).max(1) - neutral
            shares[name_of(code)] = 1 / (1 + np.exp(-embedder.scale * nearer))
        return {
            record.id: {name: round(float(share[at]), 4) for name, share in shares.items()}
            for at, record in enumerate(batch.records)
        }

    def judge(self, batch: Batch) -> dict[str, Reason]:
        refused = {}
        for r in batch.records:
            code, share = max(((code, r.quality[name_of(code)]) for code in self.refuse), key=lambda one: one[1])
            if share >= self.threshold:
                words = f"CLIP finds it nearer to {self.refuse[code][0]!r} and the like than to neutral words"
                refused[r.id] = Reason(code, f"{words} ({share:.2f} of 1; {self.threshold:g} is too much)")
        return refused


def name_of(code: str) -> str:
    """The name of a reason's score."""
    return f"zero_shot_{code}"
