"""What kohya makes of a caption's text: one line, prefix and suffix, wildcards, and which tokens stay in place."""

import re
from dataclasses import dataclass

from core.seeding import generator
from curation.kohya_config import Subset
from curation.sidecars import tidy

_WILDCARD = re.compile(r"\{\{|\}\}|\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Wording:
    """A caption as it is trained on."""

    text: str
    keep: int = 0
    """tokens that stay first when it is shuffled"""
    keep_last: int = 0
    """tokens that stay last"""
    picked: bool = False
    """whether kohya would draw anew at each step what was drawn once here"""


def wording(text: str, subset: Subset, name: str) -> Wording:
    """The caption of the picture ``name``.

    Of several lines the first holds, or with wildcards one that is drawn; a wildcard's alternative is drawn by the
    picture's name too, so that a set sees them all. `keep_tokens_separator` becomes a number of tokens even where
    nothing is shuffled: kohya would train on the separator itself.
    """
    rng = generator("wildcard", name)
    lines = [line.strip() for line in text.splitlines() if line.strip()] if subset.enable_wildcard else []
    picked = len(lines) > 1
    line = lines[int(rng.integers(len(lines)))] if picked else text.strip().partition("\n")[0]
    line = " ".join(part for part in (subset.caption_prefix, line, subset.caption_suffix) if part)

    def alternative(match: re.Match[str]) -> str:
        nonlocal picked
        if match.group(1) is None:
            return match.group()[0]
        choices = match.group(1).split("|")
        picked = picked or len(choices) > 1
        return choices[int(rng.integers(len(choices)))]

    if subset.enable_wildcard:
        line = _WILDCARD.sub(alternative, line)
    line, keep, keep_last = in_place(line, subset)
    if subset.secondary_separator:
        line = line.replace(subset.secondary_separator, subset.caption_separator)
    return Wording(tidy(line), keep, keep_last, picked)


def in_place(line: str, subset: Subset) -> tuple[str, int, int]:
    """``(caption, tokens that stay first, tokens that stay last)``."""

    def tokens(part: str) -> list[str]:
        return [token.strip() for token in part.split(subset.caption_separator) if token.strip()]

    mark = subset.keep_tokens_separator
    if mark and mark in line:
        first, _, rest = line.partition(mark)
        middle, _, last = rest.partition(mark)
        return ", ".join(tokens(first) + tokens(middle) + tokens(last)), len(tokens(first)), len(tokens(last))
    if subset.caption_separator != "," and (subset.shuffle_caption or subset.keep_tokens):
        line = ", ".join(tokens(line))
    return line, subset.keep_tokens, 0


def with_tags(caption: str, tags: str, subset: Subset) -> str:
    """Caption and tags of a metadata file together; with wildcards each line of the caption gets the tags."""
    if not subset.enable_wildcard:
        return f"{caption}{subset.caption_separator}{tags}" if caption and tags else caption or tags
    tags = tags.replace("\n", subset.caption_separator)
    lines = [line for line in caption.split("\n") if line.strip()]
    return "\n".join(f"{line}{subset.caption_separator}{tags}" if tags else line for line in lines) or tags
