"""How long a text is for a base: its own tokenizer counts, and shows where the text encoder stops reading."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from backbones.family import folder_of
from backbones.folder import check_part, read_json
from core.hashing import folder_digest

MOST = 77
"""what CLIP's text encoders take, with a token for the start and one for the end"""


@dataclass(frozen=True)
class Tokens:
    """The tokenizer of one base. Nothing but its file names is looked at until something is counted."""

    folder: Path

    @classmethod
    def of(cls, base: str = "pocket") -> Tokens:
        """The tokenizer of ``"pocket"`` or of a diffusers folder; `MissingBase` at once where it is not there."""
        folder = folder_of(base)
        fast = (folder / "tokenizer" / "tokenizer.json").is_file()
        check_part(folder, "tokenizer", ["tokenizer.json"] if fast else ["vocab.json", "merges.txt"])
        return cls(folder / "tokenizer")

    @cached_property
    def fingerprint(self) -> str:
        """What every count follows from."""
        return folder_digest(self.folder)

    @cached_property
    def room(self) -> int:
        """How many tokens of a text the base reads: 75 in all Stable Diffusions."""
        config = self.folder / "tokenizer_config.json"
        said = read_json(config, needed_for="how long a text may be").get("model_max_length") if config.is_file() else 0
        return min(int(said or MOST), MOST) - 2

    @cached_property
    def _tokenizer(self) -> Any:
        from backbones.quiet import offline_and_quiet

        offline_and_quiet()
        from transformers import CLIPTokenizer

        return CLIPTokenizer.from_pretrained(self.folder, local_files_only=True)

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

    def __hash__(self) -> int:
        return hash(self.folder)


@lru_cache(maxsize=1 << 16)
def _count(tokens: Tokens, text: str) -> int:
    return len(tokens._tokenizer(text, add_special_tokens=False)["input_ids"])
