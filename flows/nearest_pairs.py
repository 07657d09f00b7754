"""Samples beside the training picture that each is nearest to, for reports."""

from collections.abc import Mapping

from evaluation.metric import Measured
from evaluation.metrics.memorisation import MemorisationResult
from evaluation.report import Nearest
from flows.bench import Bench, Shots

SHOWN = 12
"""pictures of a kind that a report shows"""


def nearest_of(bench: Bench, measured: Mapping[str, Measured], drawn: Shots) -> list[Nearest]:
    """The samples that come nearest to a training picture, the nearest first."""
    result, samples = measured.get("memorisation"), drawn.many
    if not isinstance(result, MemorisationResult):
        return []
    train = bench.real["train"].pixels
    return [
        Nearest(samples.pixels[p.sample], train[p.training], samples.names[p.sample], p.pixel, p.clip, p.copied)
        for p in result.pairs[:SHOWN]
    ]
