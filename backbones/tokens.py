"""How long a text is for a base: its own tokenizer counts, and shows where the text encoder stops reading."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from backbones.family import files_of
from backbones.files import Files

MOST = 77
"""what CLIP's text encoders take, with a token for the start and one for the end"""


@dataclass(frozen=True)
class Tokens:
    """The tokenizer of one base. Nothing but its file names is looked at until something is counted."""

    files: Files

    @classmethod
    def of(cls, base: str = "pocket") -> Tokens:
        """The tokenizer of what a recipe calls its base; `MissingBase` at once where it is not there."""
        files = files_of(base)
        files.check_tokenizer("tokenizer")
        return cls(files)

    @cached_property
    def fingerprint(self) -> str:
        """What every count follows from."""
        return self.files.tokenizer_digest("tokenizer")

    @cached_property
    def room(self) -> int:
        """How many tokens of a text the base reads: 75 in all Stable Diffusions."""
        return min(self.files.tokenizer_length("tokenizer") or MOST, MOST) - 2

    @cached_property
    def _tokenizer(self) -> Any:
        from backbones.quiet import offline_and_quiet

        offline_and_quiet("transformers")
        return self.files.tokenizer("tokenizer")

    def count(self, text: str) -> int:
        """How many tokens the text is."""
        return _count(self, text)

    def cut(self, text: str) -> tuple[str, str]:
        """What the text encoder reads of it, and the tail that it never sees."""
        spans = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        if len(spans) <= self.room:
            return text, ""
        end = spans[self.room][0]
        return text[:end].rstrip(" ,"), text[end:]

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where each token of the text begins and ends in it."""
        found = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        return [(int(start), int(end)) for start, end in found]

    def __hash__(self) -> int:
        return hash(self.files.path)


@lru_cache(maxsize=1 << 16)
def _count(tokens: Tokens, text: str) -> int:
    return len(tokens._tokenizer(text, add_special_tokens=False)["input_ids"])
