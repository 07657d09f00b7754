"""Remedies that train again: what each changes in a run's recipe, and the run of it below the one that it helps."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Any

from core.errors import RecipeError, TrainingFailed, VelaturaError
from core.progress import say
from evaluation.verdict import Verdict
from flows import stages
from flows.job import Job
from flows.reaching import kept_trying
from flows.recipe import Recipe, apply_change, check
from flows.tracking import Tracking

LEARNED_BY_HEART = frozenset({"overfit", "memorised"})
SHARE = 3
"""prior preservation trains on one of so many ordinary prompts; drift is measured with the others"""


@dataclass(frozen=True, slots=True)
class Again:
    """One change to a recipe that may help."""

    name: str
    why: str
    changes: tuple[str, ...]
    """as `velatura run` takes them"""

    @property
    def words(self) -> str:
        """The changes as they are typed."""
        return " ".join(quote(change) for change in self.changes)

    def recipe(self, job: Job) -> Recipe:
        """The run's own recipe with the changes, under a name of its own: it is no version of the run's model."""
        value = again_of(job) | {"name": self.run_name(job)}
        for change in self.changes:
            apply_change(value, change)
        return check(value, f"{job.folder.name}, {self.name}", self.changes)

    def run_name(self, job: Job) -> str:
        """What its recipe is called."""
        return f"{job.recipe.name}-{self.name}"

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {"name": self.name, "why": self.why, "changes": list(self.changes)}


def again_of(job: Job) -> dict[str, Any]:
    """The run's recipe as plain values, to be trained on the same version of the same data in the same home."""
    own = job.recipe
    place = {"snapshot": job.snapshot.tag, "dataset": own.dataset or own.name, "home": str(job.folder.parents[1])}
    value = own.model_dump(mode="json") | place
    value["split"]["k_fold"] = 0  # its parts have chosen its step already
    return value


def fewer_steps(job: Job, kept: int) -> Again | str:
    """To where the best checkpoint was; unlike `stop_earlier` the schedule ends there, too."""
    if not 0 < kept < job.recipe.train.end:
        return "its best checkpoint is its last"
    return Again("fewer_steps", "stop where new pictures were known best", (f"train.steps={kept}",))


def lower_learning_rate(job: Job, _: int) -> Again | str:
    """A third."""
    rate = job.recipe.train.optimizer.learning_rate
    changes = [f"train.optimizer.learning_rate={rate / 3:.2g}"]
    words = job.recipe.train.text_encoder
    if words is not None:
        changes.append(f"train.text_encoder.learning_rate={words.learning_rate / 3:.2g}")
    return Again("lower_learning_rate", "a third of the learning rate", tuple(changes))


def lower_rank(job: Job, _: int) -> Again | str:
    """Half, at the same strength."""
    adapter = job.recipe.train.adapter
    ranks = {key: int(getattr(adapter, key, 0)) for key in ("rank", "convolution_rank")}
    if ranks["rank"] < 2:
        return f"its rank is {ranks['rank']}" if ranks["rank"] else f"{adapter.kind} has no rank"
    halved = {key: max(1, rank // 2) for key, rank in ranks.items() if rank}
    for rank, alpha in (("rank", "alpha"), ("convolution_rank", "convolution_alpha")):
        if getattr(adapter, alpha, None):  # strength is alpha over rank
            halved[alpha] = getattr(adapter, alpha) * halved[rank] / ranks[rank]
    changes = tuple(f"train.adapter.{key}={value:g}" for key, value in halved.items())
    return Again("lower_rank", "half the rank: less room to learn by heart", changes)


def fewer_modules(job: Job, _: int) -> Again | str:
    """Without convolutions; where there are none, without the blocks on the way down, which see the picture first."""
    adapter = job.recipe.train.adapter
    known, why = type(adapter).model_fields, "fewer modules: the transformer blocks only"
    if adapter.kind == "locon":  # a LoRA is a LoCon without convolutions
        from training.adapter import Adapter

        left = Adapter.of_kind("lora").model_fields
        own = adapter.model_dump(mode="json", exclude_defaults=True)
        value = {"kind": "lora"} | {key: value for key, value in own.items() if key in left}
        return Again("fewer_modules", why, (f"train.adapter={json.dumps(value)}",))
    if "convolutions" in known and getattr(adapter, "convolutions", False):
        return Again("fewer_modules", why, ("train.adapter.convolutions=false",))
    if "ranks" not in known or getattr(adapter, "ranks", None):
        return f"{adapter.kind} has no ranks by part" if "ranks" not in known else "its parts have ranks of their own"
    words = "fewer modules: none on the blocks on the way down"
    return Again("fewer_modules", words, ('train.adapter.ranks={"down_blocks": 0}',))


def frozen_text_encoder(job: Job, _: int) -> Again | str:
    """Train the network only."""
    if job.recipe.train.text_encoder is None:
        return "its text encoder was not trained"
    return Again("frozen_text_encoder", "leave the text encoder as it is", ("train.text_encoder=null",))


def prior_preservation(job: Job, _: int) -> Again | str:
    """Class pictures of some of the ordinary prompts, drawn as the run's samples are."""
    samples = job.recipe.samples
    if job.recipe.train.class_pictures is not None:
        return "it was trained with prior preservation"
    prompts = list(samples.prior)
    few = len(prompts) // SHARE  # drift is measured with the others, or it would be of what was trained
    if not few:
        return f"samples.prior has {len(prompts)} prompts, and at least {SHARE} are needed: some to train, some to ask"
    drawn = {"prompts": prompts[:few], "steps": samples.steps, "guidance": samples.guidance}
    changes = (f"train.class_pictures={json.dumps(drawn)}", f"samples.prior={json.dumps(prompts[few:])}")
    why = "prior preservation, against forgetting; drift is measured with the other prompts"
    return Again("prior_preservation", why, changes)


WAYS: dict[str, tuple[Callable[[Job, int], Again | str], frozenset[str]]] = {
    "fewer_steps": (fewer_steps, LEARNED_BY_HEART),
    "lower_learning_rate": (lower_learning_rate, LEARNED_BY_HEART | {"drifted"}),
    "lower_rank": (lower_rank, LEARNED_BY_HEART),
    "fewer_modules": (fewer_modules, LEARNED_BY_HEART),
    "frozen_text_encoder": (frozen_text_encoder, LEARNED_BY_HEART),
    "prior_preservation": (prior_preservation, frozenset({"drifted"})),
}
"""what is changed, or why it cannot be; and the findings that it is advised for"""


def by_training(job: Job, found: Verdict, kept: int) -> list[Again]:
    """What may help a run with these findings: only what it has not got already."""
    states = {finding.state for finding in found.findings}
    ways = [way(job, kept) for way, helps in WAYS.values() if states & helps]
    return [one for one in ways if isinstance(one, Again)]


def chosen(job: Job, kept: int, names: Sequence[str]) -> list[Again]:
    """Those that are named, advised or not; `RecipeError` where there is no such, or it cannot be."""
    unknown = [name for name in names if name not in WAYS]
    if unknown:
        raise RecipeError(f"--train: there is no {', '.join(unknown)}; known: {', '.join(WAYS)}")
    ways = {name: WAYS[name][0](job, kept) for name in names}
    for name, way in ways.items():
        if isinstance(way, str):
            raise RecipeError(f"--train {name}: {job.folder.name} cannot be helped so: {way}")
        way.recipe(job)  # a change that the recipe does not take is told before anything is done
    return [way for way in ways.values() if isinstance(way, Again)]


@dataclass(frozen=True, slots=True)
class Retrained:
    """A run of a changed recipe."""

    again: Again
    job: Job
    run: str
    """MLflow's id"""


def train_again(again: Again, job: Job, parent: str, tracking: Tracking) -> Retrained | str:
    """Train it below the run that it helps, or go on with it; what was trained before is not trained again.

    Words where training ran away, which is an answer, too. Nothing is registered.
    """
    other = stages.prepare_job(again.recipe(job), job.snapshot)
    with stages.alone(other):
        run = stages.begin_run(other, tracking)
        below = {"mlflow.parentRunId": parent, "velatura.remedy": again.name}
        kept_trying(tracking.home.tracking, lambda: tracking.tag(run, below))
        steps = other.recipe.train.end
        say(f"{again.name}: {'trained before' if other.finished else f'training {steps} steps'} ({again.words})")
        try:
            stages.train_model(other, tracking, run)
        except TrainingFailed as error:
            tracking.fail(run)
            if "not finite" not in str(error):
                raise
            return f"{again.name}: training ran away"
        except (VelaturaError, KeyboardInterrupt):
            tracking.fail(run)
            raise
        kept_trying(tracking.home.tracking, lambda: tracking.end(run))
    return Retrained(again, other, run)
