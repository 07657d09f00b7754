"""Alignment: are prompts still obeyed, known ones and new places for the trigger? Rigid captions are a sign of overfit.

Held-out captions are drawn as they are (``known``), and in places that no caption names, such as ``in the snow``
(``contexts``). CLIP compares each sample with the words of its own prompt and with those of the others:
``margin = cos(sample, own words) - mean cos(sample, the others' words)``. The trigger is left out, since no CLIP knows
it; what a style does to all samples alike cancels in the margin, which it does not in a plain CLIP score.

- ``known``, ``contexts``: mean margin of the tuned network minus the base's, same prompts and seeds; interval by
  bootstrap over prompts.
- ``rigidity``: known minus contexts. Above 0: captions as they were trained are obeyed better than new places.
- ``known_now``, ``contexts_now``: the tuned network's own margins; 0 is no more than chance.
- ``contexts_found``: share of samples whose own place CLIP finds best among all places (chance: one in their number).

Units: cosines. Source: CLIP score (Hessel et al. 2021), against the other prompts as in retrieval.

Cost: one sample per known prompt and per new place (12; 0.6 s of a core each on the pocket base), once more for the
base.

When it lies: a small CLIP misleads on a style that it has never seen. On the first pocket base plain scores did not
separate good from overfit runs; believe it only where ``contexts_now`` of the base is well above 0. Words that the base
does not know either (its own margin is 0) cannot be unlearned.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.errors import NotEnoughData
from evaluation.intervals import deviations, group_means, interval, wilson
from evaluation.metric import Evidence, Figure, Measured, Metric, Need, Observation, Shot, Subject, Wording
from evaluation.prompts import bare, placed

Floats = NDArray[np.float64]


class Alignment(Metric):
    """CLIP's view of whether prompts are obeyed, beside the base."""

    needs: ClassVar[frozenset[Need]] = frozenset({"samples"})

    prompts: int = Field(6, ge=2)
    """how many held-out captions are drawn as they are"""
    places: tuple[str, ...] = Field(("in the snow", "at night", "under water", "in a forest", "on a beach", "on fire"))
    """new places, each with another caption"""
    seed: int = 0

    def shots(self, wording: Wording) -> tuple[Shot, ...]:
        known = (wording.held_out or wording.train)[: self.prompts]
        if len(known) < 2 or len(self.places) < 2:
            raise NotEnoughData(f"alignment needs two different captions and two places; there are {len(known)}")
        new = [placed(known[at % len(known)], place) for at, place in enumerate(self.places)]
        return tuple(Shot(prompt, self.seed) for prompt in (*known, *new))

    def observe(self, subject: Subject) -> Observation:
        if not len(subject.samples) or subject.said is None:
            raise NotEnoughData("alignment needs samples of the network and a CLIP; there are none")
        names = subject.samples.names
        where = [next((place for place in self.places if place in name), "") for name in names]
        trigger = subject.evidence.wording.trigger
        words = [place or bare(name, trigger) for place, name in zip(where, names, strict=True)]
        cosines = subject.samples.embeddings.astype(np.float64) @ subject.said(words).astype(np.float64).T
        return {"cosines": cosines, "words": np.array(words), "place": np.array(where), "prompt": np.array(names)}

    def measure(self, base: Observation, tuned: Observation, evidence: Evidence) -> Measured:  # noqa: ARG002
        figures, offs, change = [], {}, {}
        for kind in ("known", "contexts"):
            own = (tuned["place"] == "") == (kind == "known")
            before, after = (margins(one, own) for one in (base, tuned))
            by_prompt = group_means(np.column_stack([after - before, after]), [str(p) for p in tuned["prompt"][own]])
            off = deviations(by_prompt, kind, self.seed)
            change[kind], now = (float(value) for value in by_prompt.mean(0))
            offs[kind] = off[:, 0]
            figures += [
                Figure(kind, change[kind], *interval(change[kind], off[:, 0])),
                Figure(f"{kind}_now", now, *interval(now, off[:, 1])),
            ]
        rigid = change["known"] - change["contexts"]
        found = best_found(tuned)
        return Measured(
            (
                Figure("rigidity", rigid, *interval(rigid, offs["known"] - offs["contexts"])),
                *figures,
                Figure("contexts_found", float(found.mean()), *wilson(int(found.sum()), len(found))),
            )
        )


def margins(seen: Observation, own: NDArray[np.bool_]) -> Floats:
    """(n,) of the samples of one kind: the cosine with their own words, less the mean over the others' words."""
    cosines, words = seen["cosines"][np.ix_(own, own)].astype(np.float64), seen["words"][own]
    other = words[:, None] != words[None, :]
    mean = np.where(other, cosines, 0).sum(1) / np.maximum(other.sum(1), 1)
    result: Floats = np.diag(cosines) - mean
    return result


def best_found(seen: Observation) -> NDArray[np.bool_]:
    """(n,) of the samples of new places: whether CLIP finds their own place best."""
    own = seen["place"] != ""
    cosines, places = seen["cosines"][np.ix_(own, own)], seen["place"][own]
    result: NDArray[np.bool_] = places[cosines.argmax(1)] == places
    return result
