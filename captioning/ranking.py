"""How well pictures fit the phrases of a facet, as scores from 0 to 1 that a threshold can be set on."""

from __future__ import annotations

from collections.abc import Sequence
from math import erf
from typing import TYPE_CHECKING

import numpy as np

from captioning.background import Background, Scores
from captioning.facets import Facet
from core.cache import Array, Cache, remembered
from core.hashing import digest

if TYPE_CHECKING:
    from backbones.clip import Clip


def text_vectors(clip: Clip, forms: Sequence[str], templates: Sequence[str], cache: Cache) -> Scores:
    """(forms, d) unit vectors: what CLIP makes of each form in each template, averaged."""
    keys = [digest("phrase", clip.fingerprint, list(templates), form, length=32) for form in forms]

    def make(positions: list[int]) -> list[Array]:
        texts = [template.replace("{}", forms[position]) for position in positions for template in templates]
        vectors = clip.embed_texts(texts).reshape(len(positions), len(templates), -1).mean(1)
        return list(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))

    vectors: Scores = np.stack(remembered(cache, keys, make, batch=128)).astype(np.float32)
    return vectors


def similarities(clip: Clip, facet: Facet, pictures: Scores, cache: Cache) -> tuple[Scores, Scores]:
    """Cosines (pictures, phrases), of each phrase's best form, and (pictures,) of the best null phrase."""
    forms = [form for phrase in facet.phrases for form in phrase.forms]
    starts = np.cumsum([0, *(len(phrase.forms) for phrase in facet.phrases)])[:-1]
    said = np.maximum.reduceat(pictures @ text_vectors(clip, forms, facet.templates, cache).T, starts, axis=1)
    if not facet.null:
        return said, np.full(len(pictures), -1, np.float32)
    best: Scores = (pictures @ text_vectors(clip, facet.null, ("{}",), cache).T).max(1)
    return said, best


def against_each_other(said: Scores, null: Scores, sharpness: float) -> Scores:
    """For exclusive facets: the softmax over all answers and the null phrase, which takes the rest."""
    logits = sharpness * np.concatenate([said, null[:, None]], axis=1).astype(np.float64)
    weights = np.exp(logits - logits.max(1, keepdims=True))
    shares: Scores = (weights / weights.sum(1, keepdims=True))[:, :-1].astype(np.float32)
    return shares


def against_the_set(said: Scores, background: Background) -> Scores:
    """For open facets: the share of pictures in general that the phrase fits less, from its z-score."""
    z = background.above(said).astype(np.float64) / np.sqrt(2)
    shares: Scores = (0.5 + 0.5 * np.vectorize(erf, otypes=[np.float64])(z)).astype(np.float32)
    return shares
