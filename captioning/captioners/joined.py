"""Several captioners together: what each says, one after the other, nothing twice."""

from typing import Annotated

from pydantic import Field

from captioning.captioner import Batch, Captioner, Part
from captioning.wording import pieces, plain
from core.caption import Caption
from core.hashing import digest


class Joined(Captioner):
    """``{kind: joined, of: [coca, clip_tags]}``: a sentence, then tags. What does not fit the base is left out."""

    of: tuple[Annotated[Captioner, Part()], ...] = Field(min_length=2)
    """captioners, each a name or a mapping with `kind:`, in the order in which they speak"""
    separator: str = ", "
    """what stands between them"""

    @property
    def clips(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(clip for part in self.of for clip in part.clips))

    @property
    def engine(self) -> str:
        return f"{self.fingerprint}-{digest([part.engine for part in self.of], length=8)}"

    def engines(self, batch: Batch) -> dict[str, str]:
        engine, base = self.engine, tokenizer_key(batch.base)
        keys = [part.engines(batch) for part in self.of]
        return {r.id: f"{engine}-{digest(base, [key[r.id] for key in keys], length=8)}" for r in batch.records}

    def captions(self, batch: Batch) -> list[Caption]:
        said = [part.captions(batch) for part in self.of]
        return [self._joined(list(parts), batch.base) for parts in zip(*said, strict=True)]

    def _joined(self, parts: list[Caption], base: str) -> Caption:
        from backbones.tokens import Tokens

        tokens, text, said = Tokens.of(base), "", set[str]()
        for part in parts:
            between = self.separator if text else ""
            for piece in pieces(part.automatic):
                longer = f"{text}{between}{piece}"
                if plain(piece) not in said and tokens.count(longer) <= tokens.room:
                    text, between = longer, ", "
                    said.add(plain(piece))
        scores = {tag: score for part in parts for tag, score in part.scores.items() if tag in text}
        return Caption(parts[0].record, text, scores)


def tokenizer_key(base: str) -> str:
    """What the length of a caption follows from."""
    from backbones.tokens import Tokens

    return Tokens.of(base).fingerprint
