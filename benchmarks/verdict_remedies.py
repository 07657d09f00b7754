"""Do a lower strength and merging with the base close the gap? Asked of runs made for it, and of the field's.

Those made for it are LoRAs at the right rate that went on three times as long; the field's that have a gap were
trained at four times that rate and are told beside. For each run's last checkpoint and each treatment, the true gap and
the true learning: nothing is trained again. A line of JSON for each goes into `remedies.jsonl`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from benchmarks.goal import Goal
from benchmarks.verdict_plans import Plan, field, for_one_question, recipe_of
from core.files import write_text

if TYPE_CHECKING:
    from benchmarks.verdict_looks import Looker

STRENGTHS = (0.8, 0.6, 0.4)
AS_IT_IS = "as it is"
MADE_FOR_IT = "strength"
IDLE = ("down blocks", "mid block")
"""what merging there does is told and not asked for: what a LoRA learns by heart sits in the up blocks of this base"""


@dataclass(frozen=True, slots=True)
class Treated:
    """One network."""

    run: str
    treatment: str
    learning: float
    gap: float


def plans() -> list[Plan]:
    """Those made for it; and LoRAs trained for long at the high rate, and one with prior preservation that was not."""
    made = [plan for plan in for_one_question() if plan.purpose == MADE_FOR_IT]
    loras = [plan for plan in field() if plan.level == "high" and plan.adapter == "lora" and plan.size < 60]
    return [*made, *(plan for plan in loras if plan.changes or plan.prior)]


def treated(looker: Looker, plan: Plan) -> list[Treated]:
    """The last checkpoint as it is, and with each treatment."""
    from benchmarks.verdict_looks import Truth
    from benchmarks.verdict_truth import taken
    from evaluation.remedies.merge import Merge
    from evaluation.remedies.weaken import Weaken
    from evaluation.remedy import Patient
    from flows import stages
    from flows.judging import bench_of, candidate_of
    from flows.material import gather

    recipe = recipe_of(looker.root, plan)
    store = stages.open_store(recipe)
    job = stages.prepare_job(recipe, taken(recipe, store))
    backbone = job.recipe.family.load(device="cpu")
    material = gather(job, store, backbone)
    truth = Truth(looker, plan, backbone, material, bench_of(job, store, backbone, material))
    file = job.weights(job.looked[-1]) / job.recipe.train.adapter.files["weights"]
    tried = [(AS_IT_IS, candidate_of(job, job.looked[-1]))]
    for remedy in (Weaken(strengths=STRENGTHS), Merge()):
        tried += [(one.name, one) for one in remedy.candidates(Patient(file), backbone)]
    found = []
    for name, candidate in tried:
        with candidate.on(backbone):
            rho, _ = truth.of(backbone, draw=False)
        learning = -float(np.mean(rho["unseen"]))
        found.append(Treated(plan.name, name, learning, float(-learning - np.mean(rho["train"]))))
    return found


def make(looker: Looker, path: Path) -> None:
    """Those that are not written down yet."""
    done = known(path)
    for plan in plans():
        if not any(one.run == plan.name for one in done):
            done += treated(looker, plan)
            write_text(path, "".join(json.dumps(asdict(one)) + "\n" for one in done))


def known(path: Path) -> list[Treated]:
    """What is written down."""
    return [Treated(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def told(found: Sequence[Treated]) -> list[Goal]:
    """By which share of itself each treatment changes the gap, run by run: the gaps themselves differ fourfold."""
    made = [one for one in found if one.run.startswith(f"{MADE_FOR_IT}-")]
    others = [one for one in found if one not in made]
    return [*compared(made, "the right rate, for long", asked=True), *compared(others, "the high rate", asked=False)]


def compared(found: Sequence[Treated], name: str, *, asked: bool) -> list[Goal]:
    """Each treatment of some runs."""
    goals = []
    before = {one.run: one for one in found if one.treatment == AS_IT_IS}
    if before:
        gaps = [one.gap for one in before.values()]
        goals.append(Goal(f"{name}: gaps of {len(gaps)} runs as they are", f"{min(gaps):.2f} to {max(gaps):.2f}"))
    for treatment in dict.fromkeys(one.treatment for one in found if one.treatment != AS_IT_IS):
        own = [one for one in found if one.treatment == treatment]
        gap = student([one.gap / before[one.run].gap - 1 for one in own])
        learning = student([one.learning - before[one.run].learning for one in own])
        goal = "below 0" if asked and not any(part in treatment for part in IDLE) else ""
        goals.append(Goal(f"{treatment}: the gap changes by this share of it", words(gap), goal, gap[2] < 0))
        goals.append(Goal("    change of learning", words(learning)))
    return goals


def student(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and 95 % interval over runs."""
    mean = float(np.mean(values))
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)) if len(values) > 1 else float("inf")
    return mean, mean - half, mean + half


def words(interval: tuple[float, float, float]) -> str:
    """For the table."""
    return f"{interval[0]:+.3f} [{interval[1]:+.3f}, {interval[2]:+.3f}]"
