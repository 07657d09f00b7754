"""Climb the learning rates with short runs, low ones first, until new pictures are known worse; say which to take."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import NotEnoughData, RecipeError, TrainingFailed, VelaturaError
from core.files import write_text
from core.hashing import digest
from core.progress import say
from core.snapshot import Snapshot
from evaluation.comparing import TIE, fallen
from evaluation.metric import Figure
from evaluation.metrics.probe import ProbeResult
from evaluation.verdict import best_step
from flows import stages
from flows.curve import probe_curve
from flows.dataset_to_model import prepare
from flows.home import Home
from flows.job import Job
from flows.material import Material, gather
from flows.reaching import kept_trying
from flows.recipe import Recipe
from flows.spool import Figure as Spooled
from flows.tracking import Tracking
from store.store import Store

RATES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
SHARE = 3
"""a rung has a third of the recipe's steps"""
LOOKS = 4
"""at each rung"""


@dataclass(frozen=True, slots=True)
class Rung:
    """One short run."""

    rate: float
    rank: int | None
    steps: int
    best_step: int
    probe: ProbeResult | None
    """at its best step; None where training ran away"""

    @property
    def name(self) -> str:
        return f"{self.rate:.3g}" + (f", rank {self.rank}" if self.rank is not None else "")

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        known = self.probe.logged("probe") if self.probe is not None else {}
        figures = {key: value for key, value in known.items() if "_t" not in key}
        said = {"learning_rate": self.rate, "rank": self.rank, "steps": self.steps, "best_step": self.best_step}
        return {**said, "figures": figures}


@dataclass(frozen=True)
class Climbed:
    """All rungs, and what to take."""

    recipe: Recipe
    snapshot: Snapshot
    rungs: Sequence[Rung]
    best: Rung
    left: int
    """rungs that were not climbed, because the probe had turned"""
    run: str
    """MLflow's id of the parent"""
    key: str

    @property
    def cost(self) -> float:
        """Steps that were trained, beside those of full runs at every rung."""
        whole = self.recipe.train.steps * (len(self.rungs) + self.left)
        return sum(rung.steps for rung in self.rungs) / whole

    @property
    def recommendation(self) -> str:
        """The changes to the recipe, as they are typed."""
        rank = f" train.adapter.rank={self.best.rank}" if self.best.rank is not None else ""
        return f"train.optimizer.learning_rate={self.best.rate:g}{rank}"


def climb(recipe: Recipe, rates: Sequence[float] = RATES, ranks: Sequence[int] = ()) -> Climbed:
    """Bring the dataset up to date, then climb. What was trained before is not trained again.

    `RecipeError` where rates or ranks are not positive, or one stands twice.
    """
    for name, asked in (("rates", rates), ("ranks", ranks)):
        if any(not 0 < one < 1e6 for one in asked) or len(set(asked)) != len(asked):
            raise RecipeError(f"{name}: {', '.join(f'{one:g}' for one in asked)} must be positive numbers, each once")
    if not rates:
        raise RecipeError("rates: name at least one learning rate")
    store = stages.open_store(recipe)
    snapshot = store.at(recipe.snapshot) if recipe.snapshot else prepare(recipe, store)[1]
    if not snapshot.held_out:
        instead = "leave out split.k_fold for it" if recipe.split.k_fold else "give split.held_out a larger share"
        raise NotEnoughData(f"a ladder needs held-out pictures; {instead}")
    tracking = Tracking(Home.of(recipe.home))
    key = digest("ladder", recipe.model_key(snapshot.manifest), list(rates), list(ranks))
    address, name = tracking.home.tracking, f"{recipe.name}-ladder-{key[:8]}"
    tags = {"velatura.recipe": recipe.name}
    parent = kept_trying(address, lambda: tracking.begin(key, name, tags, recipe.flat()))
    try:
        ladder = Ladder(recipe, store, snapshot, tracking, parent)
        rungs, left = ladder.climbed([(rate, None) for rate in sorted(rates)])
        best = best_rung(rungs)
        if ranks:
            more, beyond = ladder.climbed([(best.rate, rank) for rank in sorted(ranks)])
            rungs, left, best = [*rungs, *more], left + beyond, best_rung(more)
        said = {"velatura.best_learning_rate": f"{best.rate:g}", "velatura.best_rank": str(best.rank or "")}
        kept_trying(address, lambda: tracking.tag(parent, said))
        kept_trying(address, lambda: tracking.end(parent))
    except (VelaturaError, KeyboardInterrupt):
        tracking.fail(parent)
        raise
    return Climbed(recipe, snapshot, rungs, best, left, parent, key)


class Ladder:
    """Trains and measures rung after rung on the same pictures."""

    def __init__(self, recipe: Recipe, store: Store, snapshot: Snapshot, tracking: Tracking, parent: str) -> None:
        self.recipe, self.store, self.snapshot = recipe, store, snapshot
        self.tracking, self.parent = tracking, parent
        self._material: Material | None = None

    def climbed(self, asked: Sequence[tuple[float, int | None]]) -> tuple[list[Rung], int]:
        """The rungs until the probe turns, and how many were left."""
        rungs: list[Rung] = []
        for rate, rank in asked:
            rungs.append(self.rung(rate, rank))
            if turned(rungs):
                break
        return rungs, len(asked) - len(rungs)

    def rung(self, rate: float, rank: int | None) -> Rung:
        """Train shortly at this rate and rank, and probe it."""
        recipe = short(self.recipe, rate, rank)
        job, address = stages.prepare_job(recipe, self.snapshot), self.tracking.home.tracking
        say(f"rung {rate:.3g}{f', rank {rank}' if rank is not None else ''}: {recipe.train.steps} steps")
        if ran_away(job).exists():
            return Rung(rate, rank, recipe.train.steps, 0, None)
        with stages.alone(job):
            run = stages.begin_run(job, self.tracking)
            try:
                kept_trying(address, lambda: self.tracking.tag(run, {"mlflow.parentRunId": self.parent}))
                stages.train_model(job, self.tracking, run)
            except (VelaturaError, KeyboardInterrupt) as error:
                if not (isinstance(error, TrainingFailed) and "not finite" in str(error)):
                    self.tracking.fail(run)
                    raise
                write_text(ran_away(job), f"{error}\n")  # too high a rate is an answer, too, and is asked once
                kept_trying(address, lambda: self.tracking.end(run))
                return Rung(rate, rank, recipe.train.steps, 0, None)
            kept_trying(address, lambda: self.tracking.end(run))
        curve = {step: one for step, one in probe_curve(job, self.material(job).evidence).items() if step}
        best = best_step(curve)
        rung = Rung(rate, rank, recipe.train.steps, best, curve[best])
        at = round(1000 * math.log10(rate))
        figures = [Spooled("ladder/learning", curve[best].learning.value, at, 0)]
        kept_trying(address, lambda: self.tracking.log_figures(self.parent, figures))
        return rung

    def material(self, job: Job) -> Material:
        """The pictures, encoded once for all rungs."""
        if self._material is None:
            backbone = job.recipe.family.load(device=job.device)
            self._material = gather(job, self.store, backbone)
        return self._material


def ran_away(job: Job) -> Path:
    """The file that stands where a rung's loss was no number any more."""
    return job.folder / "ran-away"


def short(recipe: Recipe, rate: float, rank: int | None) -> Recipe:
    """The recipe of one rung: fewer steps, looks at the probe only, nothing drawn."""
    steps = max(4, recipe.train.steps // SHARE)
    every = max(1, steps // LOOKS)
    optimizer = recipe.train.optimizer.model_copy(update={"learning_rate": rate})
    adapter = recipe.train.adapter if rank is None else with_rank(recipe, rank)
    spec = {"optimizer": optimizer, "adapter": adapter, "steps": steps, "probe_every": every}
    train = recipe.train.model_copy(update={**spec, "checkpoint_every": steps, "stop_early": None})
    samples = recipe.samples.model_copy(update={"previews": 0, "memorisation": 0})
    probe = next(metric for metric in recipe.metrics if metric.kind == "probe").model_copy(update={"share": 1.0})
    return recipe.model_copy(
        update={"name": f"{recipe.name}-rung", "train": train, "samples": samples, "metrics": (probe,)}
        | {"dataset": recipe.dataset or recipe.name}
    )


def with_rank(recipe: Recipe, rank: int) -> Any:
    """The recipe's adapter at another rank; `VelaturaError` where it has none."""
    adapter = recipe.train.adapter
    if "rank" not in type(adapter).model_fields:
        raise RecipeError(f"--ranks: {adapter.kind} has no rank; lora, locon, loha, lokr and dora do")
    return adapter.model_copy(update={"rank": rank})


def turned(rungs: Sequence[Rung]) -> bool:
    """Whether the last rung is surely worse than the best one below it, or ran away."""
    last, below = rungs[-1], [rung.probe for rung in rungs[:-1] if rung.probe is not None]
    if last.probe is None:
        return True
    if not below:
        return False
    behind = fallen(last.probe, max(below, key=lambda probe: probe.learning.value))
    return behind.low > 0 and behind.value > TIE


def best_rung(rungs: Sequence[Rung]) -> Rung:
    """The rung with the most held-out learning; of those that tie with it, the lowest: it forgets and copies least."""
    known = [(rung, rung.probe) for rung in rungs if rung.probe is not None]
    if not known:
        raise TrainingFailed("training ran away at the lowest rung; begin with a lower learning rate: --rates 1e-6,...")
    _, best = max(known, key=lambda one: one[1].learning.value)
    for rung, probe in known:
        behind: Figure = fallen(probe, best)
        if probe is best or (behind.value < TIE and behind.low <= 0):
            return rung
    raise AssertionError("the best one ties with itself")
