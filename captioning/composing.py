"""From scored phrases to one caption: what need not be said is left out, and the rest fits the base's text encoder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from math import log

from captioning.facets import Facet, Phrase
from captioning.filling import fill, places
from captioning.wording import meaning


@dataclass(frozen=True)
class Tag:
    """One phrase that is said of a picture."""

    facet: Facet
    phrase: Phrase
    score: float
    least: float = 0.0
    """the score from which it is said"""

    @cached_property
    def gain(self) -> float:
        """What saying it is worth: by how much its odds are above those that are asked for."""
        return max(_odds(self.score) - _odds(self.least), 0.0) + 1e-6

    def repeats(self, other: "Tag") -> bool:
        """Whether all that it says is said by the other, which stands before it."""
        return meaning(self.phrase.say) <= meaning(other.phrase.say) or self.phrase.say in other.phrase.implies

    def answered_by(self, other: "Tag") -> bool:
        """Whether the other implies an answer to the question that this one answers."""
        return self.facet.exclusive and not self.facet.answers.isdisjoint(other.phrase.implies)

    def yields_to(self, later: "Tag") -> bool:
        """Whether a tag after it makes it superfluous: "a shirt" before "a white shirt"."""
        mine, other = self.phrase.say.lower().split(), later.phrase.say.lower().split()
        shorter = mine[-1] == other[-1] and meaning(self.phrase.say) <= meaning(later.phrase.say)
        return shorter or self.phrase.say in later.phrase.implies


@dataclass(frozen=True, slots=True)
class State:
    """One way to choose tags so far."""

    tags: tuple[Tag, ...] = ()
    gain: float = 0.0

    def with_tag(self, tag: Tag) -> "State | None":
        """The tag said as well; what says no more than another is left out, but counts as said.

        None where it contradicts what is said, or there is no room for it.
        """
        if any(tag.repeats(other) for other in self.tags):
            return State(self.tags, self.gain + tag.gain)
        if any(tag.answered_by(other) for other in self.tags):
            return None
        wrong = tuple(other for other in self.tags if other.answered_by(tag) and not other.repeats(tag))
        left = tuple(other for other in self.tags if other not in wrong and not other.yields_to(tag))
        if sum(other.facet is tag.facet for other in left) >= tag.facet.most:
            return None
        return State((*left, tag), self.gain - sum(other.gain for other in wrong) + tag.gain)


def choose(
    candidates: Sequence[Tag], most: int, *, beam: int = 5, room: int = 1 << 30, cost: Callable[[str], int] = len
) -> list[Tag]:
    """The tags that are worth most together, in their order: at most ``most``, and ``room`` tokens with commas.

    A beam search: after each candidate the ``beam`` best ways to choose so far go on (with it and without it).
    """
    states = [State()]
    for tag in candidates:
        grown = [after for before in states if (after := before.with_tag(tag)) is not None]
        grown = [state for state in grown if len(state.tags) <= most and _length(state, cost) <= room]
        states = sorted([*states, *grown], key=lambda state: -state.gain)[:beam]
    return list(states[0].tags)


def candidates(
    facets: Sequence[Facet], ranked: Mapping[str, Sequence[tuple[int, float]]], least: Mapping[str, float]
) -> list[Tag]:
    """What could be said, in the order of the facets: of each its best phrases that reach its threshold."""
    return [
        Tag(facet, facet.phrases[place], score, least[facet.name])
        for facet in facets
        for place, score in ranked[facet.name]
        if score >= least[facet.name]
    ]


def surest(tags: Sequence[Tag], most: int) -> list[Tag]:
    """The ``most`` tags that are worth most, in their order; of equal ones the first."""
    best = sorted(range(len(tags)), key=lambda at: (-tags[at].gain, at))[:most]
    return [tags[at] for at in sorted(best)]


def new_to(words: Mapping[str, str], template: str, tags: Sequence[Tag]) -> list[Tag]:
    """The tags that do not only repeat what the template's other words say."""
    known = [meaning(words[name]) for name in places(template) if words.get(name)]
    return [tag for tag in tags if not any(meaning(tag.phrase.say) <= said for said in known)]


def compose(
    tags: Sequence[Tag], template: str, words: Mapping[str, str], fits: Callable[[str], bool]
) -> tuple[str, list[Tag]]:
    """The caption, and the tags that found room in it: while it is too long, the least sure one goes.

    ``words`` are what is known without looking. What they say where the template has them is not said again.
    """
    left = new_to(words, template, tags)
    while True:
        text = fill(template, {**words, **by_place(left, template)})
        if not left or fits(text):
            return text, [tag for tag in left if tag.phrase.say in text]
        left = surest(left, len(left) - 1)


def by_place(tags: Sequence[Tag], template: str) -> dict[str, str]:
    """What goes into each facet's place, and into ``{tags}``: all facets that have no place of their own."""
    named = {facet: list(some) for facet, some in groupby(tags, key=lambda tag: tag.facet.name)}
    said = {name: some[0].facet.joined.join(tag.phrase.say for tag in some) for name, some in named.items()}
    rest = ", ".join(text for name, text in said.items() if name not in places(template))
    return {**said, "tags": rest}


def _length(state: State, cost: Callable[[str], int]) -> int:
    return sum(cost(tag.phrase.say) + 1 for tag in state.tags)


def _odds(score: float) -> float:
    inside = min(max(score, 1e-6), 1 - 1e-6)
    return log(inside / (1 - inside))
