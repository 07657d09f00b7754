"""Editability: is a word about the background still obeyed, or does every sample look like the training pictures?

A few held-out captions are drawn ``on a red background``, green, blue and yellow. A sample obeys when the median colour
along its sides is nearest (in CIELAB, among eleven names and their shades) to the colour that was asked for.

- ``obeyed``, ``obeyed_base``: share of samples that obey. Intervals after Wilson.
- ``change``: tuned minus base, the same prompts and seeds; interval by bootstrap over captions.

Units: shares. Source: ours; no CLIP is asked, because a small one misleads on a style that it has never seen. On the
first pocket base .88 of the base's samples obeyed, .75 of a moderate run's, .13 of one that was trained far too long.

Cost: one sample per caption and colour (12; 0.6 s of a core each on the pocket base), once more for the base.

When it lies: a subject that reaches the sides hides the ground; a base that obeys in few cases cannot lose much
(look at ``obeyed_base``); a style whose pictures all have one ground is taught to ignore the word
unless captions say it.
"""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np
from pydantic import Field

from core.errors import NotEnoughData
from evaluation.colours import NAMES, ground_of, name_of
from evaluation.intervals import deviations, group_means, interval, wilson
from evaluation.metric import Evidence, Figure, Measured, Metric, Need, Observation, Shot, Subject, Wording
from evaluation.prompts import placed

ASKED = re.compile(rf"\bon an? ({'|'.join(NAMES)}) background\b")


class Editability(Metric):
    """Share of samples with the background that their prompt asks for."""

    needs: ClassVar[frozenset[Need]] = frozenset({"samples"})

    captions: int = Field(3, ge=1)
    """how many held-out captions are drawn on each colour"""
    colours: tuple[str, ...] = Field(("red", "green", "blue", "yellow"), min_length=1)
    """of white, black, grey, red, orange, yellow, green, blue, purple, pink, brown"""
    seed: int = 0

    def shots(self, wording: Wording) -> tuple[Shot, ...]:
        known = (wording.held_out or wording.train)[: self.captions]
        return tuple(
            Shot(placed(caption, f"on {'an' if colour[0] in 'aeiou' else 'a'} {colour} background"), self.seed)
            for caption in known
            for colour in self.colours
        )

    def observe(self, subject: Subject) -> Observation:
        if not len(subject.samples):
            raise NotEnoughData("editability needs samples of the network; there are none")
        asked = [ASKED.findall(prompt) for prompt in subject.samples.names]
        seen = [name_of(ground_of(picture)) for picture in subject.samples.pixels]
        return {
            "obeyed": np.array([bool(words) and words[-1] == own for words, own in zip(asked, seen, strict=True)]),
            "caption": np.array([ASKED.sub("", prompt) for prompt in subject.samples.names]),
            "seen": np.array(seen),
        }

    def measure(self, base: Observation, tuned: Observation, evidence: Evidence) -> Measured:  # noqa: ARG002
        before, after = (one["obeyed"].astype(np.float64) for one in (base, tuned))
        change = group_means((after - before)[:, None], [str(one) for one in tuned["caption"]])
        mean = float(change.mean())
        return Measured(
            (
                Figure("obeyed", float(after.mean()), *wilson(int(after.sum()), len(after))),
                Figure("obeyed_base", float(before.mean()), *wilson(int(before.sum()), len(before))),
                Figure("change", mean, *interval(mean, deviations(change, "editability", self.seed)[:, 0])),
            )
        )
