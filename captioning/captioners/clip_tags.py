"""Tags that CLIP sees, out of a vocabulary of ours or yours, put into a template with trigger and class word."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import Field

from captioning.calibration import Platt
from captioning.captioner import Batch, Captioner
from captioning.composing import Tag, candidates, choose, compose, new_to
from captioning.facets import Facet, vocabulary
from captioning.filling import check, fill
from captioning.ranking import best
from captioning.scoring import Scorer
from captioning.source_words import NAMES, source_words
from core.cache import Cache
from core.caption import Caption
from core.errors import RecipeError
from core.hashing import digest
from core.record import Record

if TYPE_CHECKING:
    from backbones.clip import Clip
    from backbones.tokens import Tokens

Ranked = list[tuple[int, float]]
"""of one facet and one picture: the places of its best phrases, and their scores"""


class ClipTags(Captioner):
    """``template`` may use each facet by its name, ``{tags}`` for all others, and ``{trigger}``, ``{class_word}``,
    ``{name}``, ``{folder}``; see docs/captions.md. Nothing is embedded twice: vectors stay in the store's cache.
    """

    trigger: str = ""
    """a word of your own that stands for the subject or the style"""
    class_word: str = ""
    """if empty, the tags that the source gives, such as a kohya folder's class"""
    template: str = "[{trigger}, ][{class_word}, ]{tags}"
    """the caption: ``{word}`` is replaced, ``{a word}`` gets an article, a part in ``[ ]`` goes if a word is missing"""
    clip: str = "pocket"
    """which CLIP or SigLIP: `pocket`, `local-dir:FOLDER`, or `MODEL:FILE` for any of open_clip's models"""
    vocabulary: str = "default"
    """or a YAML file that adds phrases and facets of your own; see `docs/captions.md`"""
    facets: tuple[str, ...] = ("subject", "group", "palette", "setting")
    """what is asked of each picture, in the order in which it is said"""
    most: int = Field(8, ge=1)
    """tags in one caption"""
    threshold: float | None = Field(None, ge=0, le=1)
    """score from which a tag is said; where none is given, each facet's own"""
    precision: float | None = Field(None, gt=0, lt=1)
    """the share of tags that shall be right; takes the threshold's place in each facet with enough reviews"""
    reviews: int = Field(40, ge=10)
    """captions by a person that speak of a facet, from which on its scores are calibrated by them"""
    beam: int = Field(5, ge=1)
    """ways to choose the tags that are followed at once"""
    budget: int = Field(75, ge=8, le=75)
    """tokens that a caption may have: the text encoders of Stable Diffusion read no more"""

    version = 2

    def model_post_init(self, _: object) -> None:
        """Refuse a template with places that stay empty for ever."""
        check(self.template, (*NAMES, "tags", *self.facets))

    @cached_property
    def _clip(self) -> Clip:
        from backbones.clip import Clip  # with torch; a recipe is read without it

        return Clip.open(self.clip)

    @cached_property
    def _model(self) -> str:
        from backbones.clip_files import fingerprint_of  # without torch: where nothing is to do no CLIP is loaded

        return fingerprint_of(self.clip)

    @cached_property
    def _facets(self) -> list[Facet]:
        known = vocabulary(self.vocabulary)
        if missing := [name for name in self.facets if name not in known]:
            raise RecipeError(f"facets: no facet {', '.join(missing)}; known: {', '.join(sorted(known))}")
        return [known[name] for name in self.facets]

    @cached_property
    def _scorers(self) -> dict[int, list[Scorer]]:
        return {}

    def scorers(self, cache: Cache) -> list[Scorer]:
        """One for each facet; their vectors are made once for each cache."""
        made = self._scorers.setdefault(id(cache), [])
        if not made:
            made += [Scorer(facet, cache, self._model, lambda: self._clip, self.reviews) for facet in self._facets]
        return made

    @property
    def clips(self) -> tuple[str, ...]:
        return (self.clip,)

    @property
    def engine(self) -> str:
        """Parameters, CLIP and vocabulary."""
        return f"{self.fingerprint}-{digest(self._model, [f.fingerprint for f in self._facets], length=8)}"

    def engines(self, batch: Batch) -> dict[str, str]:
        engine, base = self.engine, tokens_of(batch.base).fingerprint
        ages = [scorer.age(batch) for scorer in self.scorers(batch.cache)]
        return {r.id: f"{engine}-{digest(base, ages, r.tags, length=6)}" for r in batch.records}

    def captions(self, batch: Batch) -> list[Caption]:
        if not batch.records:
            return []
        from backbones.encoding import embeddings

        pictures = embeddings(self._clip, batch.records, batch.read, batch.cache)
        found, least = {}, {}
        for scorer in self.scorers(batch.cache):
            scores, curve = scorer.scores(pictures, batch)
            name, most = scorer.facet.name, min(2 * scorer.facet.most, len(scorer.facet.phrases))
            found[name] = best(scores if curve is None else curve(scores), most)
            least[name] = self.least(scorer, curve)
        tokens = tokens_of(batch.base)
        return [
            self._caption(record, {name: rows[at] for name, rows in found.items()}, least, tokens)
            for at, record in enumerate(batch.records)
        ]

    def least(self, scorer: Scorer, curve: Platt | None) -> float:
        """The score from which a facet's phrases are said."""
        if curve is not None and self.precision is not None:
            return curve.reaching(self.precision)
        if self.threshold is not None:
            return self.threshold
        return scorer.facet.fits if scorer.by_sigmoid and curve is None else scorer.facet.threshold

    def _caption(self, record: Record, ranked: Mapping[str, Ranked], least: Mapping[str, float], t: Tokens) -> Caption:
        words = source_words(record, self.trigger, self.class_word)
        room = min(self.budget, t.room)
        could = new_to(words, self.template, candidates(self._facets, ranked, least))
        left = room - t.count(fill(self.template, words))
        tags: list[Tag] = choose(could, self.most, beam=self.beam, room=left, cost=t.count)
        text, tags = compose(tags, self.template, words, lambda text: t.count(text) <= room)
        return Caption(record.id, text, {tag.phrase.say: round(tag.score, 4) for tag in tags})


def tokens_of(base: str) -> Tokens:
    """The base's tokenizer."""
    from backbones.tokens import Tokens

    return Tokens.of(base)
