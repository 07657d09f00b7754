"""Samples beside the training picture that each is nearest to, for reports."""

from collections.abc import Mapping

from evaluation.candidate import Candidate
from evaluation.metric import Measured
from evaluation.metrics.memorisation import MemorisationResult
from evaluation.report import Nearest
from flows.bench import Bench

SHOWN = 12
"""pictures of a kind that a report shows"""


def nearest_of(bench: Bench, measured: Mapping[str, Measured], candidate: Candidate) -> list[Nearest]:
    """The samples that come nearest to a training picture, the nearest first."""
    result = measured.get("memorisation")
    if not isinstance(result, MemorisationResult):
        return []
    prompts = bench.prompts_of(len(result.pairs))
    samples, train = bench.looked_through(candidate, prompts), bench.real["train"].pixels
    return [
        Nearest(samples[p.sample], train[p.training], prompts[p.sample], p.pixel, p.clip, p.copied)
        for p in result.pairs[:SHOWN]
    ]
