"""Find and replace over captions, plain or by a regular expression; says what would change before anything does."""

import re
from collections.abc import Mapping

from core.caption import Caption
from core.errors import RecipeError


def replaced(
    captions: Mapping[str, Caption], old: str, new: str, *, regex: bool = False, ignore_case: bool = False
) -> dict[str, str]:
    """The captions that change, by record id. What is then empty, twice there or only a comma is cleaned up."""
    if not old:
        raise RecipeError("there is nothing to look for: the first word is empty")
    try:
        pattern = re.compile(old if regex else re.escape(old), re.IGNORECASE if ignore_case else 0)
        made = {key: tidy(pattern.sub(new if regex else lambda _: new, said.text)) for key, said in captions.items()}
    except (re.error, IndexError) as error:
        raise RecipeError(f"{old!r} to {new!r} is no regular expression that can be used: {error}") from None
    return {
        key: text for key, text in made.items() if pattern.search(captions[key].text) and text != captions[key].text
    }


def tidy(text: str) -> str:
    """Single spaces, no empty place between commas; a tag that stands twice is said once."""
    pieces = [" ".join(piece.split()) for piece in text.split(",")]
    return ", ".join(dict.fromkeys(piece for piece in pieces if piece))
