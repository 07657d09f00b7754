"""What may be wrong with a set of captions: seen from what a training makes of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from backbones.embedding import Vectors
from captioning.belonging import DOUBTED, LEAST, mixed_up, ranks
from captioning.facets import Facet
from captioning.wording import pieces, plain, runs
from core.caption import Caption
from core.record import Record

EVERYWHERE = 0.8
"""a tag in more than this share of the captions says nothing of any one picture, and is learned with the trigger"""
BIN = 10
"""tokens in one bar of the histogram"""
GREYS = frozenset(("black", "white", "grey", "gray"))


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to look at: in one picture, or in the set."""

    code: str
    words: str
    record: str = ""
    """the picture's id; empty where it is about the set"""
    name: str = ""


@dataclass(frozen=True)
class Linted:
    """The findings, and the figures of the set."""

    findings: list[Finding]
    tokens: dict[int, int]
    """captions by token count, in steps of `BIN`"""
    sources: dict[str, dict[str, float]]
    """of each source: pictures, weight (how often they are drawn), captions by a person, by a machine, missing"""
    count: int
    by_code: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Ruler:
    """What captions are held against."""

    cut: Callable[[str], tuple[str, str]]
    """what the base reads of a text, and the rest"""
    count: Callable[[str], int]
    facets: Mapping[str, Facet]
    trigger: str = ""
    colourless: Callable[[Record], bool] = lambda _: False
    """whether a picture has no colour; asked only where its caption names one"""
    seen: Callable[[Sequence[Record], Sequence[str]], tuple[Vectors, Vectors]] | None = None
    """CLIP's vectors of pictures and of texts; without, it is not asked whether captions belong to their pictures"""


def lint(records: Sequence[Record], captions: Mapping[str, Caption], ruler: Ruler) -> Linted:
    """Everything that was found, those of the set first."""
    said = {record.id: captions.get(record.id, Caption(record.id)).text for record in records}
    findings = [*everywhere(said, ruler), *belonging([record for record in records if said[record.id]], said, ruler)]
    for record in records:
        text = said[record.id]
        if not text:
            findings.append(Finding("empty", "it has no caption", record.id, record.name))
            continue
        words = [*trigger_missing(text, ruler.trigger), *contradictions(text, ruler.facets)]
        words += [*coloured(text, record, ruler), *cut_off(text, ruler.cut), *repeated(text)]
        findings += [Finding(code, what, record.id, record.name) for code, what in words]
    bars = Counter(ruler.count(text) // BIN * BIN for text in said.values())
    counts = dict(Counter(finding.code for finding in findings))
    return Linted(findings, dict(sorted(bars.items())), by_source(records, captions), len(records), counts)


def everywhere(said: Mapping[str, str], ruler: Ruler) -> Iterable[Finding]:
    """Tags that nearly all captions have: what stands between commas, and phrases of the vocabulary."""
    texts = [text for text in said.values() if text]
    if len(texts) < 5:
        return
    known = {plain(form) for facet in ruler.facets.values() for phrase in facet.phrases for form in phrase.forms}
    seen = Counter(tag for text in texts for tag in {*map(plain, pieces(text))} | known & runs(text))
    for tag, count in seen.most_common():
        if count <= EVERYWHERE * len(texts):
            return
        if tag != plain(ruler.trigger):
            share = f"{count} of {len(texts)} captions"
            yield Finding("everywhere", f"{tag!r} is in {share}: prune it, or it is learned as part of the trigger")


def belonging(records: Sequence[Record], said: Mapping[str, str], ruler: Ruler) -> Iterable[Finding]:
    """Captions that fit their pictures no better than each other's, or one that fits less well than nearly all."""
    if ruler.seen is None:
        return
    texts = [said[record.id] for record in records]
    if len(set(texts)) < LEAST:
        return
    pictures, captions = ruler.seen(records, texts)
    if words := mixed_up(pictures, captions, texts):
        yield Finding("mixed_up", words)
        return
    found = ranks(pictures, captions, texts)
    for at in np.argsort(found, kind="stable")[: int((found < DOUBTED).sum())].tolist():
        words = f"{1 - found[at]:.0%} of the other captions fit it better, as CLIP sees it: {texts[at]!r}"
        yield Finding("another's", words, records[at].id, records[at].name)


def trigger_missing(text: str, trigger: str) -> Iterable[tuple[str, str]]:
    """The trigger has to be in every caption."""
    if trigger and plain(trigger) not in runs(text):
        yield "no_trigger", f"the trigger {trigger!r} is missing"


def contradictions(text: str, facets: Mapping[str, Facet]) -> Iterable[tuple[str, str]]:
    """Two answers to a question that has but one."""
    tags = {plain(piece) for piece in pieces(text)}
    for facet in facets.values():
        if not facet.exclusive or facet.most > 1:
            continue
        given = [phrase for phrase in facet.phrases if any(plain(form) in tags for form in phrase.forms)]
        implied = {word for phrase in given for word in phrase.implies}
        answers = [phrase.say for phrase in given if phrase.say not in implied]
        if len(answers) > 1:
            yield "contradiction", f"{facet.name}: it says {' and '.join(map(repr, answers))}"


def coloured(text: str, record: Record, ruler: Ruler) -> Iterable[tuple[str, str]]:
    """Colour words on a picture that has none."""
    palette = ruler.facets.get("palette")
    if palette is None:
        return
    words = {plain(form) for phrase in palette.phrases for form in phrase.forms} - GREYS
    told = sorted(words & runs(text))
    if told and ruler.colourless(record):
        yield "colourless", f"it says {', '.join(told)}, but the picture has no colour"


def cut_off(text: str, cut: Callable[[str], tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """What stands behind the last token that the text encoder reads."""
    _, tail = cut(text)
    if tail:
        yield "cut_off", f"too long: the base never reads {tail!r}"


def repeated(text: str) -> Iterable[tuple[str, str]]:
    """The same tag twice."""
    twice = [tag for tag, count in Counter(map(plain, pieces(text))).items() if count > 1]
    if twice:
        yield "repeated", f"it says twice: {', '.join(map(repr, twice))}"


def by_source(records: Sequence[Record], captions: Mapping[str, Caption]) -> dict[str, dict[str, float]]:
    """Who wrote the captions of each source, and how much its pictures weigh in training."""
    found: dict[str, dict[str, float]] = {}
    for record in records:
        said = captions.get(record.id, Caption(record.id))
        here = found.setdefault(record.source, dict.fromkeys(("pictures", "weight", "person", "machine", "none"), 0))
        here["pictures"] += 1
        here["weight"] += record.weight
        here["person" if said.user else "machine" if said.automatic else "none"] += 1
    return dict(sorted(found.items()))
