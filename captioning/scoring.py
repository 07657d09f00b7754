"""Pictures in, calibrated scores of each facet's phrases out: what the set and people's reviews say is remembered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from captioning.background import Background, Scores, remembered_background
from captioning.calibration import Platt, remembered_calibration
from captioning.captioner import Batch, Review
from captioning.facets import Facet
from captioning.ranking import Ranker, best
from captioning.wording import plain, runs, says
from core.cache import Cache
from core.hashing import digest

if TYPE_CHECKING:
    from backbones.clip import Clip

Curve = tuple[Platt | None, int]
"""what scores are put on, and how many reviews it was fitted on"""


@dataclass(frozen=True)
class Scorer:
    """What one CLIP says of one facet. The CLIP is opened only where something has to be computed."""

    facet: Facet
    cache: Cache
    fingerprint: str
    """the CLIP's"""
    open: Callable[[], Clip]
    least_reviews: int
    _curves: dict[int, tuple[Sequence[Review], Curve]] = field(default_factory=dict)

    @cached_property
    def ranker(self) -> Ranker:
        """The facet's phrases as vectors."""
        return Ranker(self.facet, self.open(), self.cache)

    @cached_property
    def by_sigmoid(self) -> bool:
        """Whether the scores are the CLIP's own chances, and not calibrated by the set."""
        return not self.facet.exclusive and self.open().bias is not None

    def age(self, batch: Batch) -> list[int]:
        """What the scores depend on beside picture and phrases: over how many pictures and reviews."""
        background = self.background(batch)
        return [0 if background is None else background.count, self.calibration(batch)[1]]

    def scores(self, pictures: Scores, batch: Batch) -> tuple[Scores, Platt | None]:
        """(pictures, phrases) from 0 to 1 before calibration, and the curve to put them on if there is one."""
        return self.ranker.scores(pictures, self.background(batch)), self.calibration(batch)[0]

    def background(self, batch: Batch) -> Background | None:
        """How the phrases of an open facet fit the set; None where that is not asked."""
        if self.facet.exclusive or self.by_sigmoid:
            return None
        return remembered_background(
            batch.cache, self._key, len(batch.records), lambda: self.ranker.similarities(self._pictures(batch))
        )

    def calibration(self, batch: Batch) -> Curve:
        """The curve fitted on reviews, and how many those were; None while too few of them speak of the facet."""
        reviews, known = self._curves.get(id(batch.reviews), ((), (None, 0)))
        if reviews is not batch.reviews:
            known = self._calibrated(batch)
            self._curves[id(batch.reviews)] = (batch.reviews, known)  # held, so that the id stays its own
        return known

    @property
    def _key(self) -> str:
        return digest(self.fingerprint, self.facet.fingerprint)

    def _calibrated(self, batch: Batch) -> Curve:
        speaking = [review for review in batch.reviews if self._speaks(review)]
        of_them = replace(batch, records=[review.record for review in speaking])
        return remembered_calibration(
            batch.cache, self._key, len(speaking), self.least_reviews, lambda: self._judged(of_them, speaking)
        )

    def _judged(self, batch: Batch, reviews: list[Review]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """What the facet would say of each reviewed picture, by its score, and whether the person says it too."""
        scores = self.ranker.scores(self._pictures(batch), self.background(batch))
        found, right = [], []
        for review, ranked in zip(reviews, best(scores, self.facet.most), strict=True):
            said = runs(review.said)
            for place, score in ranked:
                found.append(score)
                right.append(says(said, self.facet.phrases[place].forms))
        return np.array(found, np.float32), np.array(right, np.bool_)

    @cached_property
    def _forms(self) -> frozenset[str]:
        return frozenset(plain(form) for phrase in self.facet.phrases for form in phrase.forms)

    def _speaks(self, review: Review) -> bool:
        """Whether the person says anything of the facet, or has struck out what was said of it."""
        return bool(self.facet.answers & set(review.tags) or self._forms & runs(review.said))

    def _pictures(self, batch: Batch) -> Scores:
        from backbones.encoding import embeddings

        return embeddings(self.open(), batch.records, batch.read, batch.cache)
