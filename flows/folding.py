"""Run a recipe once for each part of a small set; from these comes for how many steps to train on everything."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from core.errors import NotEnoughData, VelaturaError
from core.progress import say
from core.snapshot import Snapshot
from evaluation.metric import Evidence
from evaluation.metrics.probe import Probe
from flows import stages
from flows.curve import pause_probe
from flows.folds import Folded, Part, foldable, keep, part_of, path_of, pooled
from flows.job import Job
from flows.material import gather
from flows.reaching import kept_trying
from flows.recipe import Recipe
from flows.tracking import Tracking
from store.store import Store
from training.spec import Train

LEAST = 2
"""groups in each part"""
ROUNDS = 4
"""the parts are trained by a fourth of the steps at a time, and no further once new pictures are known worse"""


def chosen_by_folds(recipe: Recipe, store: Store, snapshot: Snapshot, tracking: Tracking) -> Recipe:
    """The recipe with the number of steps that its parts chose. What was run before is not run again."""
    count = recipe.split.k_fold
    groups = foldable([r for r in store.records(tag=snapshot.tag) if r.verdict == "kept" and r.depth == 0])
    if len(groups) < count * LEAST:
        raise NotEnoughData(
            f"split.k_fold: {len(groups)} different pictures cannot be cut into {count} parts of at least {LEAST}; "
            "take fewer parts, or add pictures"
        )
    folds = [Fold(of_part(recipe, number, count), store, snapshot, tracking) for number in range(1, count + 1)]
    for step in rounds(recipe.train):
        parts = []
        for number, fold in enumerate(folds, 1):
            say(f"part {number} of {count} is held out: up to step {step} of {recipe.train.steps}")
            parts.append(fold.trained(step))
        found = pooled(parts, whole_probe(recipe))
        if found.turned:
            break
    say(found.words)
    final = with_steps(recipe, found)
    keep(path_of(stages.prepare_job(final, snapshot)), parts)
    return final


def rounds(train: Train) -> list[int]:
    """The looked-at steps after which the parts are asked together whether they have seen enough."""
    looks = sorted({*range(train.probe_every, train.end, train.probe_every), train.end})
    return sorted({looks[-(-len(looks) * number // ROUNDS) - 1] for number in range(1, ROUNDS + 1)})


def of_part(recipe: Recipe, number: int, count: int) -> Recipe:
    """The recipe of one part: looks at the probe only, draws nothing."""
    samples = recipe.samples.model_copy(update={"previews": 0, "memorisation": 0})
    train = recipe.train.model_copy(update={"stop_early": None})  # they are asked together
    return recipe.model_copy(
        update={
            "fold": (number, count),
            "dataset": recipe.dataset or recipe.name,
            "samples": samples,
            "train": train,
            "metrics": (whole_probe(recipe),),
        }
    )


def whole_probe(recipe: Recipe) -> Probe:
    """The recipe's probe, of as many pictures as training itself would take the time of: there are few."""
    probe = next(metric for metric in recipe.metrics if metric.kind == "probe")
    assert isinstance(probe, Probe)
    return probe.model_copy(update={"share": 1.0, "most": max(probe.most, 64)})


class Fold:
    """The run without one part, which goes on from round to round."""

    def __init__(self, recipe: Recipe, store: Store, snapshot: Snapshot, tracking: Tracking) -> None:
        self._store, self._tracking = store, tracking
        self._job: Job = stages.prepare_job(recipe, snapshot)

    def trained(self, until: int) -> Part:
        """Train up to this step, if it is not trained so far, and what the probe saw on the way."""
        train = self._job.recipe.train.model_copy(update={"stop_at": until})  # the same run, at an earlier end
        address = self._tracking.home.tracking
        job = replace(self._job, recipe=self._job.recipe.model_copy(update={"train": train}))
        with stages.alone(job):
            run = stages.begin_run(self._job, self._tracking)
            try:
                kept_trying(address, lambda: self._tracking.tag(run, {"velatura.fold": f"{job.recipe.fold}"}))
                stages.train_model(job, self._tracking, run)
            except (VelaturaError, KeyboardInterrupt):
                self._tracking.fail(run)
                raise
            kept_trying(address, lambda: self._tracking.end(run))
        return part_of(job, pause_probe(job), self._evidence, until)

    @cached_property
    def _evidence(self) -> Evidence:
        return gather(self._job, self._store, self._job.recipe.family.load(device=self._job.device)).evidence


def with_steps(recipe: Recipe, found: Folded) -> Recipe:
    """The recipe that trains on everything as the parts were trained, up to the step that they chose."""
    train = recipe.train.model_copy(update={"stop_at": found.best, "stop_early": None})
    return recipe.model_copy(update={"train": train})
