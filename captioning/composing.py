"""From scored phrases to one caption: what need not be said is left out, and the rest fits the base's text encoder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from captioning.facets import Facet, Phrase
from captioning.filling import fill, places

EMPTY_WORDS = frozenset(("a", "an", "the", "of", "on", "in", "and", "with"))


@dataclass(frozen=True, slots=True)
class Tag:
    """One phrase that is said of a picture."""

    facet: Facet
    phrase: Phrase
    score: float


def chosen(
    facets: Sequence[Facet], scores: Mapping[str, Sequence[float]], most: int, threshold: float | None
) -> list[Tag]:
    """The tags worth saying, in the order of the facets, the surest of a facet first; at most ``most``."""
    tags: list[Tag] = []
    for facet in facets:
        least = facet.threshold if threshold is None else threshold
        ranked = sorted(zip(scores[facet.name], range(len(facet.phrases)), strict=True), key=lambda s: (-s[0], s[1]))
        tags += [Tag(facet, facet.phrases[at], float(score)) for score, at in ranked[: facet.most] if score >= least]
    return surest(without_repeats(tags), most)


def without_repeats(tags: Sequence[Tag]) -> list[Tag]:
    """Without duplicates, without words that one tag before it says already, without what another tag implies.

    If a tag implies a phrase of an exclusive facet, that question is answered, and the facet says nothing else.
    """
    implied = {said for tag in tags for said in tag.phrase.implies}
    answered = {
        facet.name
        for facet in {tag.facet.name: tag.facet for tag in tags}.values()
        if facet.exclusive and implied & {phrase.say for phrase in facet.phrases}
    }
    kept: list[Tag] = []
    for tag in tags:
        words = meaning(tag.phrase.say)
        repeats = any(words <= meaning(other.phrase.say) for other in kept)
        if not repeats and tag.phrase.say not in implied and tag.facet.name not in answered:
            kept.append(tag)
    return kept


def meaning(words: str) -> frozenset[str]:
    """The words that carry something."""
    return frozenset(words.lower().split()) - EMPTY_WORDS


def surest(tags: Sequence[Tag], most: int) -> list[Tag]:
    """The ``most`` tags with the highest scores, in their order; of equal ones the first."""
    best = sorted(range(len(tags)), key=lambda at: (-tags[at].score, at))[:most]
    return [tags[at] for at in sorted(best)]


def compose(
    tags: Sequence[Tag], template: str, words: Mapping[str, str], fits: Callable[[str], bool]
) -> tuple[str, list[Tag]]:
    """The caption, and the tags that found room in it: while it is too long, the least sure one goes.

    ``words`` are what is known without looking. What they say where the template has them is not said again.
    """
    known = [meaning(words[name]) for name in places(template) if words.get(name)]
    left = [tag for tag in tags if not any(meaning(tag.phrase.say) <= said for said in known)]
    while True:
        text = fill(template, {**words, **by_place(left, template)})
        if not left or fits(text):
            return text, [tag for tag in left if tag.phrase.say in text]
        left = surest(left, len(left) - 1)


def by_place(tags: Sequence[Tag], template: str) -> dict[str, str]:
    """What goes into each facet's place, and into ``{tags}``: all facets that have no place of their own."""
    named: dict[str, list[Tag]] = {}
    for tag in tags:
        named.setdefault(tag.facet.name, []).append(tag)
    said = {name: some[0].facet.joined.join(tag.phrase.say for tag in some) for name, some in named.items()}
    return {**said, "tags": ", ".join(text for name, text in said.items() if name not in places(template))}
