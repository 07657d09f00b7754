"""Memorisation: are samples copies of training pictures? Their nearest one, against what is usual among real pictures.

Distances: of pixels, squeezed to ``side`` x ``side``, by their correlation, so that brightness and contrast do not
count (`evaluation.nearest.pixel_distances`); and one minus the cosine of CLIP embeddings. ``d(x, T)`` is the distance
to the nearest training picture of another group.

- ``copy_rate``: share of samples nearer in pixels to a training picture than real pictures are to each other: below q,
  the 1st percentile of ``d(x, T)`` over all real pictures, held-out and training (leaving out their own group, so that
  each d is over equally many pictures, give or take one), and below .8, from where on people see no copy: a few
  pictures may all be further apart. q is that of a normal distribution with their median and median deviation, or of
  the pictures themselves where that is larger: among sixty two are often alike by chance, and must not decide.
  ``copy_rate_clip``: the same with CLIP's distance, without the .8. Intervals after Wilson. ``copy_chance``: the rate
  to expect of pictures never seen, by a normal distribution with mean and standard deviation of those ``d(x, T)``; 1 %
  at least. Their lower tail is longer, so it may be up to about three times that. Where no picture is held out
  (`split.k_fold`) the usual is that of the training pictures alone, of which there must be 8 groups.
- ``c_t_pixel``, ``c_t_clip``: the Mann-Whitney score C_T of Meehan, Chaudhuri, Dasgupta 2020 ("A Non-Parametric Test
  to Detect Data-Copying in Generative Models"), over one cell: U of d(samples, T) against d(held-out, T), in standard
  deviations. Below -3: samples are closer to the training set than new real pictures are. Above 3: further away.
- ``pull_pixel``, ``pull_clip``: ``d(x, H) - d(x, T)``, nearest held-out against nearest training picture, at equally
  many groups of either side (in expectation over all ways to draw them), mean over samples, minus the same of the
  base's samples of the same prompts and seeds. Positive: training drew them to the trained pictures. The interval is a
  bootstrap over prompts. It and C_T are NaN where no picture is held out.

Units: rates are shares of samples, C_T standard deviations; pull is a distance, 0 to 2 in pixels and to CLIP's eye.
Source: copies by the nearest training picture, held against real pictures, as in Meehan et al.; the line by median and
deviation, and ``pull``, are ours.

Cost: no forward passes; the samples are what costs (0.6 s of a core each on the pocket base).

How well it tells: of 117 samples of runs that went on for too long, each beside its nearest training picture, three
readers called 97 % copies that were nearer than .7, half of those at .8, and one in eight beyond .85; any two of them
agreed on 91 %. Of 3,000 sets of drawings (8 + 6, 20 + 7 and 60 + 20 trained and held-out ones; two styles) with 24
other drawings as samples the verdict calls 1.2 % at most memorised, and 92 to 99 % of those in which half of the
samples are replaced by copies (`benchmarks/verdict_copies.py`). With the pictures' own 1st percentile it found 57 % of
60 + 20. (The plain difference of pixels takes pale blurs for copies, 0.2 to 1.0 of the time.) By CLIP copies are found
0.0 to 0.2 of the time: a small CLIP sees a style's pictures all alike, so its rate is shown and not judged.

When it lies: samples from training captions show the same subjects and so are nearer than held-out pictures by
right: take held-out captions, or both, and look at the pairs; very plain pictures (one dot on white) are all near to
each other, and copies of them cannot be told; a mirrored, recoloured or shifted copy is mostly missed in pixels; near-
duplicates that grouping missed make the usual distance too small; 8 to 12 samples show a clear case only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import ndtr, ndtri

from core.errors import NotEnoughData
from evaluation.intervals import deviations, group_means, interval, wilson
from evaluation.metric import Evidence, Figure, Measured, Metric, Need, Observation, Subject
from evaluation.nearest import among, clip_distances, expected_nearest, pixel_distances, thumbnails, to_groups

Floats = NDArray[np.float64]
LEAST, ALONE = 2, 8
"""groups of training pictures beside held-out ones, and without: what is usual has to be seen somewhere"""
MAD_TO_STD = 1.4826
"""standard deviations of a normal distribution in its median absolute deviation"""


@dataclass(frozen=True, slots=True)
class Pair:
    """A sample and the training picture it is nearest to in pixels."""

    sample: int
    training: int
    """position in the gallery of training pictures"""
    pixel: float
    clip: float
    copied: bool


@dataclass(frozen=True)
class MemorisationResult(Measured):
    """The figures, and each sample's nearest training picture, the nearest pair first."""

    pairs: tuple[Pair, ...]
    threshold_pixel: float
    threshold_clip: float


class Memorisation(Metric):
    """Distance of samples to the nearest training picture, against real pictures'."""

    needs: ClassVar[frozenset[Need]] = frozenset({"samples"})

    percentile: float = Field(1.0, gt=0, lt=50)
    """of the distances between real pictures: nearer than that is a copy"""
    line: float = Field(0.8, gt=0, le=2)
    """pixel distance from which on people see no copy, however far apart the real pictures are"""
    side: int = Field(32, ge=8)
    """pixels a side at which pictures are compared"""
    seed: int = 0

    def observe(self, subject: Subject) -> Observation:
        samples = subject.samples
        if not len(samples):
            raise NotEnoughData("memorisation needs samples of the network; there are none")
        return {
            "pixel": thumbnails(samples.pixels, self.side),
            "clip": samples.embeddings,
            "prompt": np.array([str(group) for group in samples.groups]),
        }

    def measure(self, base: Observation, tuned: Observation, evidence: Evidence) -> MemorisationResult:
        train, held_out = evidence.train_pictures, evidence.held_out_pictures
        count, least = len(set(train.groups)), LEAST if len(held_out) else ALONE
        if count < least:
            raise NotEnoughData(f"memorisation needs {least} groups of training pictures; there are {count}")
        prompts = [str(prompt) for prompt in tuned["prompt"]]
        assert len(base["prompt"]) == len(prompts), "base and tuned must have made the same samples"
        views = {
            "pixel": _View(pixel_distances, *(thumbnails(one.pixels, self.side) for one in (train, held_out))),
            "clip": _View(clip_distances, train.embeddings, held_out.embeddings),
        }
        figures: list[Figure] = []
        distances, copied, bounds = {}, {}, {}
        groups = [*(f"train {group}" for group in train.groups), *(f"held-out {group}" for group in held_out.groups)]
        for name, view in views.items():
            distances[name] = view.between(tuned[name], view.train)
            to_train = to_groups(distances[name], train.groups)
            own = among(view.between(view.train, view.train), train.groups)
            other = view.nearest_of_held_out(train.groups)
            every = np.concatenate([own, other])
            line = self.line if name == "pixel" else math.inf
            bounds[name] = bound_of(group_means(every[:, None], groups)[:, 0], self.percentile / 100, line)
            copied[name] = to_train.min(1) < bounds[name][0]
            if not len(held_out):
                figures += [Figure(f"c_t_{name}", math.nan), Figure(f"pull_{name}", math.nan)]
                continue
            pull = view.pull(tuned[name], evidence) - view.pull(base[name], evidence)
            by_prompt = group_means(pull[:, None], prompts)
            mean = float(by_prompt.mean())
            figures += [
                Figure(f"c_t_{name}", mann_whitney(to_train.min(1), other)),
                Figure(f"pull_{name}", mean, *interval(mean, deviations(by_prompt, name, self.seed)[:, 0])),
            ]
        nearest = distances["pixel"].argmin(1)
        pairs = [
            Pair(at, int(to), float(distances["pixel"][at, to]), float(distances["clip"][at, to]), bool(copy))
            for at, (to, copy) in enumerate(zip(nearest, copied["pixel"], strict=True))
        ]
        rates = [
            Figure(name, float(one.mean()), *wilson(int(one.sum()), len(one)))
            for name, one in (("copy_rate", copied["pixel"]), ("copy_rate_clip", copied["clip"]))
        ]
        return MemorisationResult(
            (*rates, Figure("copy_chance", bounds["pixel"][1]), *figures),
            tuple(sorted(pairs, key=lambda pair: pair.pixel)),
            bounds["pixel"][0],
            bounds["clip"][0],
        )


class _View(NamedTuple):
    """The real pictures in one of the two ways of looking at them."""

    between: Callable[[NDArray[Any], NDArray[Any]], Floats]
    train: NDArray[np.generic]
    held_out: NDArray[np.generic]

    def nearest_of_held_out(self, groups: Sequence[str]) -> Floats:
        """(held-out,) distance of each held-out picture to the nearest training picture; empty without any."""
        if not len(self.held_out):
            return np.zeros(0)
        nearest: Floats = to_groups(self.between(self.held_out, self.train), groups).min(1)
        return nearest

    def pull(self, samples: NDArray[np.generic], evidence: Evidence) -> Floats:
        """How much nearer each sample is to the training pictures than to equally many held-out ones."""
        to_train = to_groups(self.between(samples, self.train), evidence.train_pictures.groups)
        to_held_out = to_groups(self.between(samples, self.held_out), evidence.held_out_pictures.groups)
        equal = min(to_train.shape[1], to_held_out.shape[1])
        return expected_nearest(to_held_out, equal) - expected_nearest(to_train, equal)


def bound_of(real: Floats, share: float, line: float) -> tuple[float, float]:
    """Below which distance a sample is a copy, and how often a picture never seen is so by chance.

    ``real``: (n,) distances of real pictures to their nearest training picture; ``share``: of them that are copies.
    """
    middle = float(np.median(real))
    usual = middle + float(ndtri(share)) * MAD_TO_STD * float(np.median(np.abs(real - middle)))
    bound = min(max(float(np.quantile(real, share)), usual), line)
    spread = max(float(real.std(ddof=1)) if len(real) > 1 else 0.0, 1e-9)
    return bound, max(share, float(ndtr((bound - float(real.mean())) / spread)))


def mann_whitney(first: Floats, second: Floats) -> float:
    """Mann-Whitney U of two samples in standard deviations: negative where ``first`` tends to be smaller."""
    n, m = len(first), len(second)
    wins = (first[:, None] > second[None]).sum() + 0.5 * (first[:, None] == second[None]).sum()
    return float((wins - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12))
