"""Try on a run what helps, measure it with the same figures, and say what to do."""

from __future__ import annotations

import gc
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.progress import say
from evaluation.candidate import Candidate, base
from evaluation.comparing import zero_of
from evaluation.metric import Measured, logged
from evaluation.metrics.probe import ProbeResult
from evaluation.remedy import Patient, Remedy
from evaluation.report import Samples
from evaluation.verdict import Verdict, best_step, judge
from flows import folds
from flows.bench import Bench
from flows.curve import probe_curve, probe_of
from flows.job import Job
from flows.judgement import Judgement
from flows.judging import OF_USE, bench_of, candidate_of, keep_weights
from flows.material import gather
from flows.retraining import Again, Retrained, by_training, chosen, train_again
from flows.tracking import Tracking
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
    use: str = ""
    """how to have it: a file, a command, words"""
    retrained: Retrained | None = None
    """its run, where it was trained again"""
    step: int = 0
    """of that run"""
    key: str = ""
    """follows from what was put on the base"""

    @property
    def probe(self) -> ProbeResult:
        found = self.measured["probe"]
        assert isinstance(found, ProbeResult)
        return found

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        said: dict[str, Any] = {"name": self.name, "remedy": self.kind, "verdict": self.verdict.state, "use": self.use}
        if self.retrained is not None:
            again = self.retrained
            said |= {"weights": self.use, "changes": list(again.again.changes), "run": again.run}
        return {**said, "figures": logged(self.measured)}


@dataclass(frozen=True)
class Remedies:
    """All that was tried on one run, the untreated one first."""

    job: Job
    step: int
    tried: Sequence[Tried]
    shown: Samples | None = None
    """samples of each beside the base's"""
    advice: Sequence[Again] = ()
    """what may help and was not trained"""
    notes: Sequence[str] = ()

    @property
    def best(self) -> Tried:
        """The lightest verdict; among equals the most learning; where that ties, the first that was tried."""
        first = min(GRAVITY.index(one.verdict.state) for one in self.tried)
        among = [one for one in self.tried if GRAVITY.index(one.verdict.state) == first]
        known = [one.probe.learning.value for one in among if math.isfinite(one.probe.learning.value)]
        if not known:  # no picture is held out
            return among[0]
        return next(one for one in among if one.probe.learning.value > max(known) - 0.02)

    @property
    def to_do(self) -> str:
        """What is recommended, in words."""
        best = self.best
        if not best.kind:
            return "it is best as it is"
        return best.name if best.retrained is not None else f"{best.kind.replace('_', ' ')}: {best.name}"


@dataclass(frozen=True)
class Course:
    """What is asked of training again."""

    parent: str
    """MLflow's id of the run that is to be helped"""
    tracking: Tracking
    kept: int
    """that run's best checkpoint"""
    names: Sequence[str] | None = None
    """of `flows.retraining.WAYS`; empty: all that is advised; None: nothing is trained"""


def try_remedies(job: Job, remedies: Sequence[Remedy], step: int, course: Course, *, samples: bool = True) -> Remedies:
    """Measure a run's checkpoint as it is, with each remedy that fits it, and trained again as ``course`` says.

    ``samples`` False: nothing is drawn. Where it is trained again, all are measured with those ordinary prompts that
    none of them was trained on.
    """
    import torch

    torch.set_num_threads(job.recipe.train.threads)
    named = chosen(job, course.kept, course.names or ())
    asked, first, rest = first_look(job, remedies, step, samples=samples, whole=course.names is None)
    advice = by_training(job, first.verdict, course.kept)
    if course.names is None:
        return replace(rest, advice=advice)
    release()  # the trainer has the device for itself
    again = [train_again(one, job, course.parent, course.tracking) for one in named or advice]
    if not again:
        say("nothing that needs training is advised")
    done = [one for one in again if isinstance(one, Retrained)]
    left = [one for one in advice if one.name not in {each.again.name for each in done}]
    found = second_look(job, asked, done, step, samples=samples)
    return replace(found, advice=left, notes=[*(one for one in again if isinstance(one, str)), *found.notes])


Asked = Sequence[tuple[str, Candidate]]
"""the remedy's kind, empty for the untreated one, and the network"""


def first_look(
    job: Job, remedies: Sequence[Remedy], step: int, *, samples: bool, whole: bool
) -> tuple[Asked, Tried, Remedies]:
    """What is to be tried, how the untreated one is, and all of it measured; the first only if not ``whole``."""
    bench = bench_for(job)
    file = job.recipe.train.adapter.files["weights"]
    checkpoints = {one: job.weights(one) / file for one in job.looked if one and (job.weights(one) / file).exists()}
    patient = Patient(checkpoints[step], step, checkpoints, bench.real["held_out"].pixels[:8])
    asked = [("", replace(candidate_of(job, step), use=str(checkpoints[step])))]
    for remedy in remedies:
        found = remedy.candidates(patient, bench.backbone)
        if not found:
            say(f"{remedy.kind} has nothing to change here")
        asked += [(remedy.kind, one) for one in found]
    now = asked if whole else asked[:1]
    tried = [tried_with(job, bench, kind, one, samples=samples) for kind, one in now]
    tried[0] = as_judged(job, bench, tried[0], step)
    sheet = shown(bench, now) if samples and whole else None
    return asked, tried[0], Remedies(job, step, tried, sheet, notes=of_parts(job))


def second_look(job: Job, asked: Asked, done: Sequence[Retrained], step: int, *, samples: bool) -> Remedies:
    """All that was asked and what was trained again, measured alike."""
    alike, notes = asked_alike(job, done)
    bench = bench_for(alike)
    tried = [tried_with(alike, bench, kind, one, samples=samples) for kind, one in asked]
    tried[0] = as_judged(job, bench, tried[0], step)
    everyone = list(asked)
    for one in done:
        best, candidate = trained_candidate(one, bench)
        everyone.append((one.again.name, candidate))
        found = tried_with(alike, bench, one.again.name, candidate, samples=samples)
        tried.append(kept_as_file(replace(found, retrained=one, step=best)))
    return Remedies(job, step, tried, shown(bench, everyone) if samples else None, notes=[*notes, *of_parts(job)])


def bench_for(job: Job) -> Bench:
    """Where all are looked at, with the run's own pictures, prompts and seeds."""
    store = Store.open(job.snapshot.store)
    backbone = job.recipe.family.load(device=job.device)
    return bench_of(job, store, backbone, gather(job, store, backbone))


def release() -> None:
    """Networks that nobody holds any more leave the device."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def asked_alike(job: Job, done: Sequence[Retrained]) -> tuple[Job, list[str]]:
    """The run as all are measured: drift on those ordinary prompts only that none of them was trained on."""
    own = job.recipe.samples.prior
    left = tuple(prompt for prompt in own if all(prompt in one.job.recipe.samples.prior for one in done))
    if left == own:
        return job, []
    samples = job.recipe.samples.model_copy(update={"prior": left})
    words = (
        f"drift of all is measured with the {len(left)} of {len(own)} ordinary prompts that none was trained on, so "
        "that it differs from the run's report"
    )
    return replace(job, recipe=job.recipe.model_copy(update={"samples": samples})), [words]


def trained_candidate(one: Retrained, bench: Bench) -> tuple[int, Candidate]:
    """The checkpoint that a run of its own would have kept, by the same pictures."""
    curve = probe_curve(one.job, bench.material.evidence)
    step = best_step(curve) or max(one.job.looked)
    return step, replace(candidate_of(one.job, step), name=f"{one.again.name.replace('_', ' ')}, step {step}")


def kept_as_file(one: Tried) -> Tried:
    """Its weights under a name of their own, with the verdict in their metadata; if it was judged since, as it is."""
    assert one.retrained is not None
    judged = Judgement.read(one.retrained.job)
    files = judged.files if judged else keep_weights(one.retrained.job, one.step, one.verdict)
    return replace(one, use=files["weights"])


def tried_with(job: Job, bench: Bench, kind: str, candidate: Candidate, *, samples: bool) -> Tried:
    """One network's figures and verdict, by the recipe's own measures."""
    judging = [metric for metric in job.recipe.metrics if metric.kind not in OF_USE]
    metrics = [metric for metric in judging if samples or "samples" not in metric.needs]
    measured = bench.measured(candidate, metrics)
    probe = measured[probe_of(job).kind]
    assert isinstance(probe, ProbeResult)
    curve = {0: zero_of(probe), 1: probe}
    verdict = judge(curve, measured.get("memorisation"), measured.get("prior_drift"))
    return Tried(candidate.name, kind, verdict, measured, candidate.use, key=candidate.key)


def as_judged(job: Job, bench: Bench, one: Tried, step: int) -> Tried:
    """The untreated one with the verdict that its run had: in the light of the steps before, or of its parts."""
    folded = folds.kept(job, probe_of(job))
    curve = folded.curve if folded else probe_curve(job, bench.material.evidence)
    if step not in curve:  # the parts stopped before it
        return one
    measured = {**one.measured, "probe": curve[step]} if folded else one.measured
    copies, drift = measured.get("memorisation"), measured.get("prior_drift")
    found = judge(curve, copies, drift, step=step, now=measured["probe"])
    return replace(one, verdict=found, measured=measured)


def of_parts(job: Job) -> list[str]:
    """A note where no picture is held out, since the run's parts chose its step."""
    if not job.recipe.split.k_fold:
        return []
    return [
        "no picture is held out (split.k_fold): learning and gap of the first row are those of its parts, and of the "
        "others only copies and drift can be told"
    ]


def shown(bench: Bench, asked: Asked) -> Samples:
    """Samples of the same prompts and seeds, a column for each network; the base's first."""
    columns = [base(), *(candidate for _, candidate in asked)]
    drawn = [bench.shown(one) for one in columns]
    names = ("base", *(one.name if kind else f"as it is ({one.name})" for kind, one in asked))
    return Samples(tuple(bench.prompts), names, tuple(zip(*drawn, strict=True)))
