"""Templates: ``"{a trigger} style emoji[ of {subject|group}][, {palette}]"`` and the words that go in.

- ``{word}`` is replaced; ``{a word}`` gets "a" or "an" before it; of ``{one|other}`` the first that is not empty
- a part in ``[ ]`` disappears if a place in it stays empty
- commas and spaces that are then left over disappear as well
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

PART = re.compile(r"\[([^\[\]]*)\]")
PLACE = re.compile(r"\{(an? )?([a-z_]+(?:\|[a-z_]+)*)\}")


def check(template: str, known: Iterable[str]) -> None:
    """A ValueError in words if the template has a place that nobody fills, or a bracket without its other half."""
    names = sorted(known)
    for place in PLACE.finditer(template):
        for name in place[2].split("|"):
            if name not in names:
                raise ValueError(f"template: nothing is called {{{name}}}; known: {', '.join(names)}")
    rest = PART.sub(r"\1", PLACE.sub("", template))
    if left := re.search(r"[{}\[\]]", rest):
        raise ValueError(f"template: a {left[0]!r} that is not part of {{word}} or [optional part], in {template!r}")


@lru_cache(maxsize=256)
def places(template: str) -> frozenset[str]:
    """The names that the template asks for."""
    return frozenset(name for place in PLACE.finditer(template) for name in place[2].split("|"))


def with_article(words: str) -> str:
    """The words with "a" or "an" before them."""
    return f"an {words}" if words[0].lower() in "aeiou" else f"a {words}"


def fill(template: str, words: Mapping[str, str]) -> str:
    """The template with the words in it; a name without words counts as empty."""

    def word(place: re.Match[str]) -> str:
        said = next((words[name] for name in place[2].split("|") if words.get(name)), "")
        return with_article(said) if place[1] and said else said

    def part(optional: re.Match[str]) -> str:
        empty = any(not word(place) for place in PLACE.finditer(optional[1]))
        return "" if empty else optional[1]

    text = PLACE.sub(word, PART.sub(part, template))
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"(?:\s*,)+", ",", text)
    return text.strip(" ,")
