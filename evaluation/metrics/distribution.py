"""Distribution: how far samples as a whole are from new real pictures of the kind, beside the base's; for small sets.

The squared maximum mean discrepancy (Gretton et al. 2012) of CLIP vectors, as in CMMD (Jayasumana et al. 2024,
"Rethinking FID"): ``mmd = mean k(x, x') + mean k(y, y') - 2 mean k(x, y)``, x samples, y held-out pictures,
``k(a, b) = exp(-|a - b|^2 / (2 s^2))`` with s^2 the median squared distance between real pictures. Unbiased: only pairs
of different groups count. Unlike FID it assumes no Gaussian and needs no thousands of pictures.

- ``mmd``, ``mmd_base``: of the tuned network and of the base; 0 is the same distribution, small negative values are
  chance.
- ``change``: tuned minus base, the same prompts and seeds. Below 0: samples have come nearer to the kind.

Units: of the kernel, 0 to 2. Intervals by bootstrap over prompts and over groups of real pictures.

Cost: no forward passes beside CLIP's; it looks at the samples in which copies are looked for.

When it lies: copies of training pictures are near to held-out ones too, so a low figure is no proof of health; a small
CLIP sees a style's pictures all alike; with fewer than about 20 samples only large differences show.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.errors import NotEnoughData
from core.seeding import generator
from evaluation.intervals import interval, widening
from evaluation.metric import Evidence, Figure, Measured, Metric, Need, Observation, Subject

Floats = NDArray[np.float64]


class Distribution(Metric):
    """Maximum mean discrepancy between samples and held-out pictures, in CLIP's space."""

    needs: ClassVar[frozenset[Need]] = frozenset({"samples", "pictures"})

    draws: int = Field(1000, ge=100)
    """of the bootstrap"""
    seed: int = 0

    def observe(self, subject: Subject) -> Observation:
        samples = subject.samples
        if not len(samples):
            raise NotEnoughData("distribution needs samples of the network; there are none")
        return {"clip": samples.embeddings, "prompt": np.array([str(group) for group in samples.groups])}

    def measure(self, base: Observation, tuned: Observation, evidence: Evidence) -> Measured:
        real, prompts = evidence.held_out_pictures, [str(prompt) for prompt in tuned["prompt"]]
        if len(set(real.groups)) < 2 or len(set(prompts)) < 2:
            raise NotEnoughData(
                f"distribution needs two groups of held-out pictures and samples of two prompts; there are "
                f"{len(set(real.groups))} and {len(set(prompts))}"
            )
        y, own = real.embeddings.astype(np.float64), evidence.train_pictures.embeddings
        every = np.concatenate([y, own.astype(np.float64)]) if own.size else y
        width = float(np.median(squared(every, every)[np.triu_indices(len(every), 1)])) or 1.0
        drawn = generator("mmd", len(prompts), len(real), self.seed)
        times_x, times_y = (resampled(groups, self.draws, drawn) for groups in (prompts, real.groups))
        wide = max(widening(len(set(prompts))), widening(len(set(real.groups))))
        found: dict[str, Floats] = {}
        for name, one in (("mmd", tuned), ("mmd_base", base)):
            x = one["clip"].astype(np.float64)
            near = [np.exp(-squared(a, b) / (2 * width)) for a, b in ((x, x), (y, y), (x, y))]
            found[name] = mmd(near, times_x, times_y, others(prompts), others(real.groups))
        found["change"] = found["mmd"] - found["mmd_base"]
        return Measured(
            tuple(
                Figure(name, float(all_[0]), *interval(float(all_[0]), (all_[1:] - all_[0]) * wide))
                for name, all_ in found.items()
            )
        )


def squared(a: Floats, b: Floats) -> Floats:
    """(n, m) squared distances."""
    result: Floats = np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T, 0)
    return result


def others(groups: tuple[str, ...] | list[str]) -> Floats:
    """(n, n) 1 where two are of different groups."""
    names = np.asarray(groups)
    apart: Floats = (names[:, None] != names[None, :]).astype(np.float64)
    return apart


def resampled(groups: tuple[str, ...] | list[str], draws: int, rng: np.random.Generator) -> Floats:
    """(1 + draws, n) how often each counts: first once each, then as its group was drawn."""
    names, own = np.unique(np.asarray(groups), return_inverse=True)
    times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    return np.concatenate([np.ones((1, len(own))), times[:, own].astype(np.float64)])


def mmd(near: list[Floats], times_x: Floats, times_y: Floats, apart_x: Floats, apart_y: Floats) -> Floats:
    """(draws,) for kernels among x, among y and between; a draw of a single group repeats the estimate."""
    among_x, among_y, between = near

    def mean(weights: Floats, kernel: Floats, apart: Floats) -> Floats:
        there = np.einsum("dn,nm,dm->d", weights, apart, weights, optimize=True)
        value = np.einsum("dn,nm,dm->d", weights, kernel * apart, weights, optimize=True) / np.maximum(there, 1e-9)
        result: Floats = np.where(there > 0, value, value[0])
        return result

    across = np.einsum("dn,nm,dm->d", times_x, between, times_y, optimize=True)
    across = across / (times_x.sum(1) * times_y.sum(1))
    result: Floats = mean(times_x, among_x, apart_x) + mean(times_y, among_y, apart_y) - 2 * across
    return result
