"""Run a recipe once for each part of a small set; from these comes for how many steps to train on everything."""

from __future__ import annotations

from core.errors import NotEnoughData, VelaturaError
from core.progress import say
from core.snapshot import Snapshot
from evaluation.metrics.probe import Probe
from flows import stages
from flows.curve import pause_probe
from flows.folds import Folded, Part, keep, part_of, path_of, pooled
from flows.job import Job
from flows.material import gather
from flows.reaching import kept_trying
from flows.recipe import Recipe
from flows.tracking import Tracking
from store.store import Store

LEAST = 2
"""groups in each part"""


def chosen_by_folds(recipe: Recipe, store: Store, snapshot: Snapshot, tracking: Tracking) -> Recipe:
    """The recipe with the number of steps that its parts chose. What was run before is not run again."""
    count = recipe.split.k_fold
    records = [r for r in store.records(tag=snapshot.tag) if r.verdict == "kept" and r.depth == 0]
    groups = {record.group or record.id for record in records}
    if len(groups) < count * LEAST:
        raise NotEnoughData(
            f"split.k_fold: {len(groups)} different pictures cannot be cut into {count} parts of at least {LEAST}; "
            "take fewer parts, or add pictures"
        )
    parts = []
    for number in range(1, count + 1):
        say(f"part {number} of {count} is held out")
        parts.append(trained_without(of_part(recipe, number, count), store, snapshot, tracking))
    found = pooled(parts, whole_probe(recipe))
    say(found.words)
    final = with_steps(recipe, found)
    keep(path_of(stages.prepare_job(final, snapshot)), parts)
    return final


def of_part(recipe: Recipe, number: int, count: int) -> Recipe:
    """The recipe of one part: looks at the probe only, draws nothing."""
    samples = recipe.samples.model_copy(update={"previews": 0, "memorisation": 0})
    return recipe.model_copy(
        update={
            "fold": (number, count),
            "dataset": recipe.dataset or recipe.name,
            "samples": samples,
            "metrics": (whole_probe(recipe),),
        }
    )


def whole_probe(recipe: Recipe) -> Probe:
    """The recipe's probe, of as many pictures as training itself would take the time of: there are few."""
    probe = next(metric for metric in recipe.metrics if metric.kind == "probe")
    assert isinstance(probe, Probe)
    return probe.model_copy(update={"share": 1.0, "most": max(probe.most, 64)})


def trained_without(recipe: Recipe, store: Store, snapshot: Snapshot, tracking: Tracking) -> Part:
    """Train on all but one part, and what the probe saw on the way."""
    job: Job = stages.prepare_job(recipe, snapshot)
    with stages.alone(job):
        run = stages.begin_run(job, tracking)
        try:
            kept_trying(tracking.home.tracking, lambda: tracking.tag(run, {"velatura.fold": f"{recipe.fold}"}))
            stages.train_model(job, tracking, run)
        except (VelaturaError, KeyboardInterrupt):
            tracking.fail(run)
            raise
        kept_trying(tracking.home.tracking, lambda: tracking.end(run))
    evidence = gather(job, store, job.recipe.family.load(device=job.device)).evidence
    return part_of(job, pause_probe(job), evidence)


def with_steps(recipe: Recipe, found: Folded) -> Recipe:
    """The recipe that trains on everything, for as long as the parts say."""
    every = min(recipe.train.probe_every, found.best)
    train = recipe.train.model_copy(update={"steps": found.best, "probe_every": every, "stop_early": None})
    return recipe.model_copy(update={"train": train})
