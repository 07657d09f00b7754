"""Diversity: do samples of one prompt still differ from each other, beside how much the base's do?

For each prompt ``D = mean distance over all pairs of its samples``, once in pixels (by correlation, see
`evaluation.nearest.pixel_distances`) and once as one minus the cosine of CLIP vectors.

- ``pixel``, ``clip``: D of the tuned network, mean over prompts.
- ``pixel_change``, ``clip_change``: ``mean log(D_tuned / D_base)`` over prompts, the same seeds. Below 0: samples have
  become alike. Intervals by bootstrap over prompts.

Units: pixel 0 (the same) to 1.41 (unrelated); the changes are logarithms: -0.5 is 40 % less.
Source: mean pairwise distance of samples, as LPIPS diversity is used since Zhu et al. 2017 (BicycleGAN), without LPIPS.

Cost: prompts x seeds samples (12; 0.6 s of a core each on the pocket base), once more for the base.

When it lies: a subject that is one thing should look alike, so prompts are captions, not the trigger alone; a network
that falls apart is diverse; on the first pocket base a run that learned a style rightly went up a little (.33 after
.26 in plain pixels), one that copied fell to a third.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.errors import NotEnoughData
from evaluation.intervals import deviations, interval
from evaluation.metric import Evidence, Figure, Measured, Metric, Need, Observation, Shot, Subject, Wording
from evaluation.nearest import clip_distances, pixel_distances, thumbnails

Floats = NDArray[np.float64]
LEAST = 1e-3
"""distances below this are taken for this: identical samples have no logarithm"""


class Diversity(Metric):
    """Mean distance between samples of the same prompt."""

    needs: ClassVar[frozenset[Need]] = frozenset({"samples"})

    prompts: int = Field(3, ge=1)
    """how many captions are drawn"""
    seeds: int = Field(4, ge=2)
    """how often each"""
    side: int = Field(32, ge=8)
    """pixels a side at which pictures are compared"""
    seed: int = 0

    def shots(self, wording: Wording) -> tuple[Shot, ...]:
        known = (wording.held_out or wording.train)[: self.prompts]
        return tuple(Shot(prompt, 1000 * self.seed + turn) for prompt in known for turn in range(self.seeds))

    def observe(self, subject: Subject) -> Observation:
        samples = subject.samples
        if not len(samples):
            raise NotEnoughData("diversity needs samples of the network; there are none")
        small = thumbnails(samples.pixels, self.side)
        prompts = sorted(set(samples.names))
        apart = {"pixel": pixel_distances(small, small), "clip": clip_distances(samples.embeddings, samples.embeddings)}
        return {
            "prompt": np.array(prompts),
            **{name: np.array([_within(each, samples.names, p) for p in prompts]) for name, each in apart.items()},
        }

    def measure(self, base: Observation, tuned: Observation, evidence: Evidence) -> Measured:  # noqa: ARG002
        figures = []
        for name in ("pixel", "clip"):
            before, after = (np.maximum(one[name].astype(np.float64), LEAST) for one in (base, tuned))
            for kind, value in ((name, after), (f"{name}_change", np.log(after / before))):
                mean = float(value.mean())
                off = deviations(value[:, None], kind, self.seed)[:, 0]
                figures.append(Figure(kind, mean, *interval(mean, off)))
        return Measured(tuple(figures))


def _within(distances: Floats, names: tuple[str, ...], prompt: str) -> float:
    """Mean distance between different samples of one prompt; 0 where there is only one."""
    own = np.array([name == prompt for name in names])
    some = distances[np.ix_(own, own)]
    return float(some[np.triu_indices(len(some), 1)].mean()) if len(some) > 1 else 0.0
