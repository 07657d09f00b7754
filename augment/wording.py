"""Captions that follow the pixels: colour words leave a text whose picture has lost those colours."""

import re
from itertools import pairwise

_WORDS = """
red orange yellow green blue purple violet pink brown cyan teal turquoise magenta crimson scarlet maroon beige
indigo reddish orangish yellowish greenish bluish purplish pinkish brownish golden
colourful colorful multicoloured multicolored
"""
COLOURS = frozenset(_WORDS.split())
"""What a picture without colour cannot answer to. Black, white and grey stay true; peach, lime and coral are things."""

SHADES = frozenset(("light", "dark", "pale", "deep", "bright", "vivid", "soft", "warm", "cool", "neon", "pastel"))
ARTICLES = frozenset(("a", "an"))
ENDS = frozenset(
    ("and", "or", "on", "in", "of", "with", "at", "by", "from", "over", "under", "against", "near", "behind")
)
"""after these words no noun follows that a colour before them could belong to"""


def pieces(text: str) -> list[str]:
    """What stands between the commas, without what is empty."""
    return [piece for piece in (part.strip() for part in text.split(",")) if piece]


def article(word: str) -> str:
    """Which of "a" and "an" goes before ``word``, by its first letter."""
    return "an" if word[:1].lower() in "aeiou" else "a"


def is_colour(words: list[str], at: int) -> bool:
    """Whether the word says a colour: "red" does, "a red" in "a red apple" too, but "an orange" is a fruit."""
    if words[at].lower().removesuffix("-coloured").removesuffix("-colored") not in COLOURS:
        return False
    last = at + 1 == len(words) or words[at + 1].lower() in ENDS
    return not (last and at > 0 and words[at - 1].lower() in ARTICLES and words[at].lower() == "orange")


def without_colours(text: str) -> str:
    """The caption without its words for colours: "a red apple on a blue background" becomes "an apple"."""
    return ", ".join(left for left in map(_colourless, pieces(text)) if left)


def _colourless(piece: str) -> str:
    words = piece.split()
    gone = {at for at in range(len(words)) if is_colour(words, at)}
    if not gone:
        return piece
    for at in sorted(gone, reverse=True):
        while at > 0 and words[at - 1].lower() in SHADES:
            at -= 1
            gone.add(at)
    for at, word in enumerate(words):  # "red and white" keeps its white, "red and green" nothing
        if word.lower() in ("and", "&") and (at - 1 in gone or at + 1 in gone):
            gone.add(at)
    kept = [at for at in range(len(words)) if at not in gone]
    for at, following in pairwise(kept):
        if words[at].lower() in ARTICLES and at + 1 in gone:
            words[at] = article(words[following])
    left = " ".join(words[at] for at in kept)
    left = re.sub(r"\s*\b(?:on|against|with)\s+(?:an?\s+|the\s+)?(?:background|backdrop)\b", "", f" {left}").strip()
    if not set(left.lower().split()) - ARTICLES - {"color", "colors", "colour", "colours"}:
        return ""
    return left


def with_tag(text: str, tag: str) -> str:
    """The caption with ``tag`` at its end, once."""
    return text if tag in pieces(text) else ", ".join([*pieces(text), tag])


def detail_of(text: str) -> str:
    """The caption of a part of the picture."""
    return f"a detail of {text}" if text else "a detail"
