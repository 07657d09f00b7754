"""Rules that say something of a picture, over one vocabulary: ours, plain zero-shot, and clip-interrogator's."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from backbones.clip import Clip
from backbones.encoding import embeddings
from benchmarks.captions_truth import Drawing
from captioning.captioner import Batch, Review
from captioning.captioners.clip_tags import ClipTags
from captioning.facets import Facet, vocabulary
from captioning.ranking import best, text_vectors
from core.cache import Memory
from core.pixels import Pixels
from core.record import Record

FACETS = ("subject", "group", "palette", "setting")
CLASSIC = {"medium": 1, "style": 1}
"""clip-interrogator's `classic` takes one phrase of each table and three "flavors": here, of all other facets"""
FLAVORS = 3


class Bench:
    """Pictures, vectors and rules over one vocabulary."""

    def __init__(self, drawn: list[Drawing], clip: str) -> None:
        self.drawn = drawn
        self.of = {drawing.record.id: drawing for drawing in drawn}
        self.clip, self.name, self.cache = Clip.open(clip), clip, Memory()
        self.vocabulary = vocabulary("default")
        half = len(drawn) // 2
        self.reviewed, self.judged = drawn[:half], drawn[half:]

    def read(self, record: Record) -> Pixels:
        """As a store's reader."""
        return self.of[record.id].pixels

    def vectors(self, drawn: list[Drawing]) -> NDArray[np.float32]:
        """CLIP's of the pictures."""
        return embeddings(self.clip, [drawing.record for drawing in drawn], self.read, self.cache)

    def batch(self, drawn: list[Drawing], *, reviewed: bool) -> Batch:
        """The pictures as a captioner gets them."""
        reviews = [Review(drawing.record, drawing.said) for drawing in self.reviewed] if reviewed else []
        return Batch([drawing.record for drawing in drawn], self.read, self.cache, reviews)

    def plain(self, facets: list[Facet], count: int) -> list[list[tuple[str, ...]]]:
        """The forms of the ``count`` phrases nearest to each judged picture: no templates, synonyms or thresholds."""
        phrases = [phrase for facet in facets for phrase in facet.phrases]
        words = text_vectors(self.clip, [phrase.say for phrase in phrases], ("{}",), self.cache)
        ranked = best(self.vectors(self.judged) @ words.T, count)
        return [[phrases[place].forms for place, _ in row] for row in ranked]

    def classic(self) -> list[list[tuple[str, ...]]]:
        """clip-interrogator's `classic` rule, without BLIP's caption in front."""
        flavors = [facet for name, facet in self.vocabulary.items() if name not in CLASSIC]
        tables = [self.plain([self.vocabulary[name]], count) for name, count in CLASSIC.items()]
        tables.append(self.plain(flavors, FLAVORS))
        return [[forms for table in tables for forms in table[at]] for at in range(len(self.judged))]

    def ours(self, count: int) -> list[list[str]]:
        """The ``count`` best subjects of each judged picture, as `clip_tags` ranks them."""
        tags = ClipTags(clip=self.name, facets=FACETS)
        batch = self.batch(self.drawn, reviewed=False)
        scorer = tags.scorers(self.cache)[0]
        ranked = best(scorer.scores(self.vectors(self.judged), batch)[0], count)
        return [[scorer.facet.phrases[place].say for place, _ in row] for row in ranked]

    def tagged(self, tags: ClipTags, *, reviewed: bool) -> tuple[list[list[tuple[str, ...]]], float]:
        """The forms of all tags that `clip_tags` says of each judged picture, and the mean of their scores."""
        batch = self.batch(self.drawn, reviewed=reviewed)
        tags.engines(batch)
        forms = {p.say: p.forms for name in FACETS for p in self.vocabulary[name].phrases}
        said = tags.captions(replace(batch, records=[drawing.record for drawing in self.judged]))
        scores = [score for caption in said for score in caption.scores.values()]
        return [[forms[tag] for tag in caption.scores] for caption in said], float(np.mean(scores or [1.0]))

    def cost(self) -> tuple[float, float, float]:
        """CPU milliseconds a picture: embedding it, ranking all phrases for it, and wording its caption."""
        pictures = [drawing.pixels for drawing in self.judged]
        self.clip.embed_pictures(pictures[:8])
        tags = ClipTags(clip=self.name, facets=FACETS, trigger="openmoji")
        vectors, batch = self.vectors(self.judged), self.batch(self.judged, reviewed=False)
        tags.captions(batch)

        def ranking() -> None:
            for scorer in tags.scorers(self.cache):
                best(scorer.scores(vectors, batch)[0], min(2 * scorer.facet.most, len(scorer.facet.phrases)))

        works = (lambda: self.clip.embed_pictures(pictures), ranking, lambda: tags.captions(batch))
        embedding, ranked, whole = (min(_cpu(work) for _ in range(3)) / len(pictures) * 1e3 for work in works)
        return embedding, ranked, whole - ranked


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
