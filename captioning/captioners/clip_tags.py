"""Tags that CLIP sees, out of a vocabulary of ours or yours, put into a template with trigger and class word."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import Field

from captioning.background import Background, Scores, remembered_background
from captioning.captioner import Batch, Captioner
from captioning.composing import chosen, compose
from captioning.facets import Facet, vocabulary
from captioning.filling import check
from captioning.ranking import against_each_other, against_the_set, similarities
from captioning.source_words import NAMES, source_words
from core.caption import Caption
from core.errors import RecipeError
from core.hashing import digest

if TYPE_CHECKING:
    from backbones.clip import Clip


class ClipTags(Captioner):
    """``template`` may use each facet by its name, ``{tags}`` for all others, and ``{trigger}``, ``{class_word}``,
    ``{name}``, ``{folder}``; see `captioning.filling`. Nothing is embedded twice: vectors stay in the store's cache.
    """

    trigger: str = ""
    class_word: str = ""
    """if empty, the tags that the source gives, such as a kohya folder's class"""
    template: str = "[{trigger}, ][{class_word}, ]{tags}"
    clip: str = "pocket"
    """which CLIP: see `backbones.clip`"""
    vocabulary: str = "default"
    """or a YAML file that adds phrases and facets of your own; see `captioning.facets`"""
    facets: tuple[str, ...] = ("subject", "group", "palette", "setting")
    """what is asked of each picture, in the order in which it is said"""
    most: int = Field(8, ge=1)
    """tags in one caption"""
    threshold: float | None = Field(None, ge=0, le=1)
    """score from which a tag is said; where none is given, each facet's own"""
    budget: int = Field(75, ge=8, le=75)
    """tokens that a caption may have: the text encoders of Stable Diffusion read no more"""

    def model_post_init(self, _: object) -> None:
        """Refuse a template with places that stay empty for ever."""
        check(self.template, (*NAMES, "tags", *self.facets))

    @cached_property
    def _clip(self) -> Clip:
        from backbones.clip import Clip  # with torch; a recipe is read without it

        return Clip.open(self.clip)

    @cached_property
    def _model(self) -> str:
        from backbones.clip_files import (
            fingerprint_of,
        )  # without torch: a run that has nothing to caption loads no CLIP

        return fingerprint_of(self.clip)

    @cached_property
    def _facets(self) -> list[Facet]:
        known = vocabulary(self.vocabulary)
        if missing := [name for name in self.facets if name not in known]:
            raise RecipeError(f"facets: no facet {', '.join(missing)}; known: {', '.join(sorted(known))}")
        return [known[name] for name in self.facets]

    @property
    def engine(self) -> str:
        """Parameters, CLIP and vocabulary."""
        return f"{self.fingerprint}-{digest(self._model, [f.fingerprint for f in self._facets], length=8)}"

    def engines(self, batch: Batch) -> dict[str, str]:
        ages = [self._background(facet, batch).count for facet in self._facets if not facet.exclusive]
        return {r.id: f"{self.engine}-{digest(ages, r.tags, length=6)}" for r in batch.records}

    def captions(self, batch: Batch) -> list[Caption]:
        if not batch.records:
            return []
        pictures = self._pictures(batch)
        scores = {facet.name: self._scores(facet, pictures, batch).tolist() for facet in self._facets}
        made = []
        for at, record in enumerate(batch.records):
            words = source_words(record, self.trigger, self.class_word)
            tags = chosen(self._facets, {name: rows[at] for name, rows in scores.items()}, self.most, self.threshold)
            text, tags = compose(tags, self.template, words, self.fits)
            made.append(Caption(record.id, text, {tag.phrase.say: round(tag.score, 4) for tag in tags}))
        return made

    def fits(self, text: str) -> bool:
        """Whether the text encoder reads it to the end, by CLIP's own tokenizer: Stable Diffusion has the same."""
        ids = self._clip.tokenize([text])[0].numpy()
        tokens = int(ids.argmax()) - 1  # the end token has the highest id
        return tokens <= self.budget and tokens + 2 < len(ids)  # a text that fills all places may have been cut

    def _pictures(self, batch: Batch) -> Scores:
        from backbones.encoding import embeddings

        return embeddings(self._clip, batch.records, batch.read, batch.cache)

    def _scores(self, facet: Facet, pictures: Scores, batch: Batch) -> Scores:
        said, null = similarities(self._clip, facet, pictures, batch.cache)
        if not facet.exclusive:
            return against_the_set(said, self._background(facet, batch))
        return against_each_other(said, null, float(self._clip.model.logit_scale.exp()))

    def _background(self, facet: Facet, batch: Batch) -> Background:
        def measured() -> Scores:
            return similarities(self._clip, facet, self._pictures(batch), batch.cache)[0]

        return remembered_background(
            batch.cache, digest(self._clip.fingerprint, facet.fingerprint), len(batch.records), measured
        )
