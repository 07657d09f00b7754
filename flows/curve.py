"""The probe along a run: what is looked at in a pause of training, and how it went from look to look."""

from evaluation.metric import Evidence, Measured, Metric, load_observation
from evaluation.metrics.probe import Probe, ProbeResult
from flows.job import Job

FORWARDS = 1.75
"""forward passes that training on one picture costs: on the pocket base with a LoRA, by what looks took beside steps"""
LEAST = 5
"""pictures of either side: fewer are no evidence (`Thresholds.least_groups`)"""


def probe_of(job: Job) -> Probe:
    """The recipe's probe, as it was written."""
    probe = next(metric for metric in job.recipe.metrics if metric.kind == "probe")
    assert isinstance(probe, Probe)
    return probe


def pause_probe(job: Job) -> Probe:
    """The probe of fewer pictures where looks, the one at the base included, would else take more than their share.

    Their number follows from the recipe alone, so that every look of a run, and of the same run again, is at the same.
    """
    probe, train = probe_of(job), job.recipe.train
    every = min(train.probe_every, train.steps)
    looks = 1 + -(-train.steps // every)
    passes = probe.share * FORWARDS * train.batch_size * train.steps / looks - len(job.recipe.samples.prior)
    affordable = int(passes / (2 * len(probe.timesteps) * probe.draws))
    return probe.model_copy(update={"most": min(probe.most, max(LEAST, affordable))})


def in_pauses(job: Job, metric: Metric) -> Metric:
    """The metric as it is made in pauses."""
    return pause_probe(job) if metric.kind == "probe" else metric


def probe_curve(job: Job, evidence: Evidence, until: int | None = None) -> dict[int, ProbeResult]:
    """The probe at every looked-at step (until one), from what the trainer observed there."""
    curve, probe = {}, pause_probe(job)
    for step in job.looked:
        if until is None or step <= until:
            result = measure_step(job, probe, evidence, step)
            assert isinstance(result, ProbeResult)
            curve[step] = result
    return curve


def measure_step(job: Job, metric: Metric, evidence: Evidence, step: int) -> Measured:
    """A pause metric at one step, beside step 0."""
    base, tuned = (load_observation(job.step_folder(at) / f"{metric.kind}.npz") for at in (0, step))
    return metric.measure(base, tuned, evidence)
