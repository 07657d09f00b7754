"""Long and weighted texts through a base's text encoder: in pieces of 75 tokens, each word as strong as was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backbones.backbone import Backbone, Conditioning
from backbones.emphasis import parsed
from backbones.tokens import Tokens

NEAR = 20
"""tokens before the end of a piece within which a comma is a better place to cut; as in the web UI"""


@dataclass(frozen=True, slots=True)
class TextReading:
    """How texts are read. The usual one is the base's own: 75 tokens, and parentheses are letters."""

    tokens: int = 75
    emphasis: bool = False

    @property
    def plain(self) -> bool:
        """Whether it is the base's own way."""
        return self.tokens <= 75 and not self.emphasis

    @property
    def key(self) -> tuple[str, ...]:
        """What cached states follow from beside text and base; nothing for the usual way."""
        return () if self.plain else ("web ui 1", str(self.tokens), str(self.emphasis))


@dataclass(frozen=True, slots=True)
class Piece:
    """What goes through the text encoder at once."""

    text: str
    weights: list[float]
    """of each of its tokens"""


def states_of(backbone: Backbone, texts: Sequence[str], reading: TextReading) -> Conditioning:
    """As `Backbone.encode_text`; ``hidden`` is as many pieces long for every text as the reading has room for.

    What else there is (SDXL's pooled vector) is the first piece's, as in the web UI.
    """
    if reading.plain:
        return backbone.encode_text(texts)
    tokens = Tokens(backbone.files)
    count = reading.tokens // 75
    rows = [pieces_of(text, tokens, reading) for text in texts]
    filled = [piece for row in rows for piece in [*row, *[Piece("", [])] * (count - len(row))]]
    states = backbone.encode_text([piece.text for piece in filled])
    hidden = states["hidden"]
    weighed = torch.stack([weighted(one, piece.weights) for one, piece in zip(hidden, filled, strict=True)])
    return {name: state[::count] for name, state in states.items()} | {
        "hidden": weighed.reshape(len(texts), -1, hidden.shape[-1])
    }


def pieces_of(text: str, tokens: Tokens, reading: TextReading) -> list[Piece]:
    """A text cut where pieces of the tokenizer's length end, at commas where one is near; what is too long is left."""
    marked = parsed(text) if reading.emphasis else [(text, 1.0)]
    plain = "".join(words for words, _ in marked)
    strengths = [weight for words, weight in marked for _ in words]
    spans = tokens.spans(plain)
    found: list[Piece] = []
    start = 0
    while start < len(spans) and len(found) < reading.tokens // 75:
        end = cut_at(plain, spans, start, start + tokens.room)
        begin, stop = spans[start][0], spans[end - 1][1]
        found.append(Piece(plain[begin:stop], [strengths[at] for at, _ in spans[start:end]]))
        start = end
    return found or [Piece("", [])]


def cut_at(text: str, spans: Sequence[tuple[int, int]], start: int, end: int) -> int:
    """The token before which a piece ends: behind a comma, or else between words, or else where the room ends."""
    if end >= len(spans):
        return len(spans)
    near = range(end, max(start, end - NEAR), -1)
    commas = [at for at in near if text[spans[at - 1][0] : spans[at - 1][1]].rstrip().endswith(",")]
    gaps = [at for at in near if spans[at - 1][1] < spans[at][0]]
    return next(iter([*commas, *gaps]), end)


def weighted(hidden: Tensor, weights: Sequence[float]) -> Tensor:
    """States (tokens, width) of one piece times its words' weights, brought back to the size that they had together.

    The web UI brings the mean back; that is next to 0 in some text encoders, and the states then go anywhere.
    """
    if all(weight == 1.0 for weight in weights):
        return hidden
    factors = torch.ones(len(hidden), 1, dtype=hidden.dtype)
    known = min(len(weights), len(hidden) - 2)
    factors[1 : known + 1, 0] = torch.tensor(list(weights[:known]), dtype=hidden.dtype)
    strong = hidden * factors.to(hidden.device)
    made: Tensor = strong * (hidden.norm() / strong.norm())
    return made
