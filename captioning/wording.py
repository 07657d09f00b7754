"""Which words a text says: captions are compared by the words that carry something."""

import re
from collections.abc import Iterable
from functools import lru_cache

EMPTY_WORDS = frozenset(("a", "an", "the", "of", "on", "in", "and", "with"))
ARTICLES = frozenset(("a", "an", "the"))
LONGEST = 8
"""words of the longest phrase that is looked for in a text"""
_WORD = re.compile(r"[\w'’-]+")


@lru_cache(maxsize=1 << 16)
def meaning(words: str) -> frozenset[str]:
    """The words that carry something."""
    return frozenset(words.lower().split()) - EMPTY_WORDS


@lru_cache(maxsize=1 << 16)
def plain(words: str) -> str:
    """Lower case, single spaces, no commas, no articles: "A  red apple" is "red apple"."""
    return " ".join(word for word in _WORD.findall(words.lower().replace("_", " ")) if word not in ARTICLES)


def runs(text: str) -> frozenset[str]:
    """Every run of words in a text, without articles; commas part them."""
    found = set()
    for piece in re.split(r"[,;.\n]", text):
        words = plain(piece).split()
        found |= {
            " ".join(words[start:end])
            for start in range(len(words))
            for end in range(start + 1, min(len(words), start + LONGEST) + 1)
        }
    return frozenset(found)


def says(said: frozenset[str], forms: Iterable[str]) -> bool:
    """Whether one of the forms stands in a text, given by its `runs`."""
    return any(plain(form) in said for form in forms)


def pieces(text: str) -> list[str]:
    """What stands between the commas, without what is empty."""
    return [piece for piece in (part.strip() for part in text.split(",")) if piece]
