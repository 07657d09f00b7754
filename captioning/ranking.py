"""How well pictures fit the phrases of a facet, as scores from 0 to 1 that a threshold can be set on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from captioning.background import Background, Scores
from captioning.facets import Facet
from core.cache import Array, Cache, remembered
from core.hashing import digest

if TYPE_CHECKING:
    from backbones.clip import Clip

SYNONYM = 1.6
"""by so much, in logits, another word for a phrase must fit better: of many words one fits by chance"""


def text_vectors(clip: Clip, forms: Sequence[str], templates: Sequence[str], cache: Cache) -> Scores:
    """(forms, d) unit vectors: what CLIP makes of each form in each template, averaged."""
    keys = [digest("phrase", clip.fingerprint, list(templates), form, length=32) for form in forms]

    def make(positions: list[int]) -> list[Array]:
        texts = [template.replace("{}", forms[position]) for position in positions for template in templates]
        vectors = clip.embed_texts(texts).reshape(len(positions), len(templates), -1).mean(1)
        return list(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))

    vectors: Scores = np.stack(remembered(cache, keys, make, batch=128)).astype(np.float32)
    return vectors


@dataclass(frozen=True)
class Ranker:
    """A facet's phrases as vectors, made once: what is left for each picture is one small product of matrices."""

    facet: Facet
    clip: Clip
    cache: Cache

    @cached_property
    def _forms(self) -> Scores:
        forms = [form for phrase in self.facet.phrases for form in phrase.forms]
        return np.ascontiguousarray(text_vectors(self.clip, forms, self.facet.templates, self.cache).T)

    @cached_property
    def _null(self) -> Scores:
        return np.ascontiguousarray(text_vectors(self.clip, self.facet.null, ("{}",), self.cache).T)

    @cached_property
    def _starts(self) -> list[int]:
        """Where each phrase's forms begin; empty where every phrase has but one."""
        counts = [len(phrase.forms) for phrase in self.facet.phrases]
        return [] if max(counts) == 1 else [0, *np.cumsum(counts)[:-1].tolist()]

    @cached_property
    def _handicap(self) -> Scores:
        handicap = np.full(self._forms.shape[1], SYNONYM / self.clip.scale, np.float32)
        handicap[self._starts] = 0
        return handicap

    def similarities(self, pictures: Scores) -> Scores:
        """Cosines (pictures, phrases), of each phrase's best form; other words for it with a handicap."""
        said: Scores = pictures @ self._forms
        if not self._starts:
            return said
        said -= self._handicap
        return np.maximum.reduceat(said, self._starts, axis=1)

    def scores(self, pictures: Scores, background: Background | None) -> Scores:
        """(pictures, phrases) from 0 to 1: against each other, by the CLIP's own sigmoid, or against the set."""
        said = self.similarities(pictures)
        if self.facet.exclusive:
            return against_each_other(said, (pictures @ self._null).max(1), self.clip.scale)
        if self.clip.bias is not None:
            return by_sigmoid(said, self.clip.scale, self.clip.bias)
        assert background is not None, "an open facet needs a background"
        return against_the_set(said, background)


def against_each_other(said: Scores, null: Scores, sharpness: float) -> Scores:
    """For exclusive facets: the softmax over all answers and the null phrase, which takes the rest."""
    highest = np.maximum(said.max(1), null)[:, None]
    weights = np.exp(np.float32(sharpness) * (said - highest))
    rest = np.exp(np.float32(sharpness) * (null[:, None] - highest))
    shares: Scores = weights / (weights.sum(1, keepdims=True) + rest)
    return shares


def by_sigmoid(said: Scores, sharpness: float, bias: float) -> Scores:
    """For open facets and a CLIP that was trained so: each phrase for itself, by the chance that it belongs."""
    chances: Scores = np.exp(-np.logaddexp(np.float32(0), -(np.float32(sharpness) * said + np.float32(bias))))
    return chances


def against_the_set(said: Scores, background: Background) -> Scores:
    """For open facets: the share of pictures in general that the phrase fits less, from its z-score."""
    from scipy.special import ndtr  # slow to import, and a recipe is read without it

    shares: Scores = ndtr(background.above(said)).astype(np.float32)
    return shares


def best(scores: Scores, count: int) -> list[list[tuple[int, float]]]:
    """For each picture its ``count`` highest phrases as (place, score), the highest first, of equal ones the first."""
    if count == 1:
        places = scores.argmax(1)[:, None]
    elif count < scores.shape[1]:
        places = np.sort(np.argpartition(-scores, count - 1, axis=1)[:, :count], axis=1)
    else:
        places = np.tile(np.arange(scores.shape[1]), (len(scores), 1))
    values = np.take_along_axis(scores, places, 1)
    order = np.argsort(-values, axis=1, kind="stable")
    places, values = np.take_along_axis(places, order, 1), np.take_along_axis(values, order, 1)
    return [list(zip(p, v, strict=True)) for p, v in zip(places.tolist(), values.tolist(), strict=True)]
