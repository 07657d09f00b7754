"""Try on a run what helps without training again, measure it with the same figures, and say what to do."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Any

from core.progress import say
from evaluation.candidate import Candidate, base
from evaluation.comparing import zero_of
from evaluation.metric import Measured, logged
from evaluation.metrics.probe import ProbeResult
from evaluation.remedy import Patient, Remedy
from evaluation.verdict import Verdict, judge
from flows.bench import Bench
from flows.curve import probe_of
from flows.job import Job
from flows.judging import bench_of, candidate_of
from flows.material import gather
from store.store import Store

GRAVITY = ("healthy", "underfit", "not enough evidence", "drifted", "overfit", "memorised")
"""from the best to the worst"""


@dataclass(frozen=True)
class Tried:
    """One network and what was found of it."""

    name: str
    kind: str
    """the remedy's; empty for the one that is to be helped"""
    verdict: Verdict
    measured: Mapping[str, Measured]

    @property
    def probe(self) -> ProbeResult:
        found = self.measured["probe"]
        assert isinstance(found, ProbeResult)
        return found

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        said = {"name": self.name, "remedy": self.kind, "verdict": self.verdict.state}
        return {**said, "figures": logged(self.measured)}


@dataclass(frozen=True)
class Remedies:
    """All that was tried on one run, the untreated one first."""

    job: Job
    step: int
    tried: Sequence[Tried]
    sheet: bytes
    """PNG: samples of each beside the base's"""

    @property
    def best(self) -> Tried:
        """The lightest verdict; among equals the most learning; where that ties, the first that was tried."""
        first = min(GRAVITY.index(one.verdict.state) for one in self.tried)
        among = [one for one in self.tried if GRAVITY.index(one.verdict.state) == first]
        known = [one.probe.learning.value for one in among if math.isfinite(one.probe.learning.value)]
        if not known:  # no picture is held out
            return among[0]
        return next(one for one in among if one.probe.learning.value > max(known) - 0.02)


def try_remedies(job: Job, remedies: Sequence[Remedy], step: int, *, samples: bool = True) -> Remedies:
    """Measure a run's checkpoint as it is, and with each remedy that fits it. ``samples`` False: nothing is drawn."""
    import torch

    torch.set_num_threads(job.recipe.train.threads)
    store = Store.open(job.snapshot.store)
    backbone = job.recipe.family.load(device=job.device)
    bench = bench_of(job, store, backbone, gather(job, store, backbone))
    file = job.recipe.train.adapter.files["weights"]
    checkpoints = {one: job.weights(one) / file for one in job.looked if one and (job.weights(one) / file).exists()}
    guides = bench.real["held_out"].pixels[:8]
    patient = Patient(checkpoints[step], step, checkpoints, guides)
    asked: list[tuple[str, Candidate]] = [("", candidate_of(job, step))]
    for remedy in remedies:
        found = remedy.candidates(patient, backbone)
        if not found:
            say(f"{remedy.kind} has nothing to change here")
        asked += [(remedy.kind, one) for one in found]
    tried = [tried_with(job, bench, kind, one, samples=samples) for kind, one in asked]
    return Remedies(job, step, tried, sheet_of(bench, [one for _, one in asked]) if samples else b"")


def tried_with(job: Job, bench: Bench, kind: str, candidate: Candidate, *, samples: bool) -> Tried:
    """One network's figures and verdict, by the recipe's own measures."""
    metrics = [metric for metric in job.recipe.metrics if samples or "samples" not in metric.needs]
    measured = bench.measured(candidate, metrics)
    probe = measured[probe_of(job).kind]
    assert isinstance(probe, ProbeResult)
    curve = {0: zero_of(probe), 1: probe}
    verdict = judge(curve, measured.get("memorisation"), measured.get("prior_drift"))
    return Tried(candidate.name, kind, verdict, measured)


def sheet_of(bench: Bench, candidates: Sequence[Candidate]) -> bytes:
    """Samples of the same prompts and seeds, a column for each network."""
    from evaluation.grid import grid

    columns = [base(), *candidates]
    drawn = [bench.shown(one) for one in columns]
    return grid(bench.prompts, [one.name for one in columns], list(zip(*drawn, strict=True)))


def by_training(job: Job, found: Verdict, kept: int) -> list[tuple[str, str]]:
    """(why, changes to the recipe) of what needs another run: only what this one has not got already."""
    train, advice = job.recipe.train, []
    states = {finding.state for finding in found.findings}
    rate = train.optimizer.learning_rate
    if states & {"overfit", "memorised"} and 0 < kept < train.steps:
        advice.append(("stop where new pictures were known best", f"train.steps={kept}"))
    if states & {"overfit", "memorised", "drifted"}:
        advice.append(("a third of the learning rate", f"train.optimizer.learning_rate={rate / 3:.2g}"))
    rank = getattr(train.adapter, "rank", 0)
    if states & {"overfit", "memorised"} and rank > 2:
        advice.append(("half the rank: less room to learn by heart", f"train.adapter.rank={rank // 2}"))
    if states & {"overfit", "memorised"} and getattr(train.adapter, "convolutions", False):
        advice.append(("fewer modules: attention only", "train.adapter.convolutions=false"))
    if states & {"overfit", "memorised"} and train.text_encoder is not None:
        advice.append(("leave the text encoder as it is", "train.text_encoder=null"))
    if "drifted" in states and train.class_pictures is None:
        prompts = list(job.recipe.samples.prior)
        few = len(prompts) // 3  # drift is measured with the others, or it would be of what was trained
        if few:
            trained, measured = json.dumps({"prompts": prompts[:few]}), json.dumps(prompts[few:])
            change = f"{quote(f'train.class_pictures={trained}')} {quote(f'samples.prior={measured}')}"
            advice.append(("prior preservation, against forgetting; drift is measured with the other prompts", change))
    return advice
