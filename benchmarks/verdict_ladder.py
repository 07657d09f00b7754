"""Does the ladder find the learning rate of a full search, and at what cost? On three sets of pictures.

The full search trains every rate for all of the recipe's steps; the ladder climbs with a third of them until new
pictures are surely known worse. Both are `flows.ladder`'s own rungs, so both are measured alike.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.goal import Goal
from benchmarks.verdict_pictures import Style
from benchmarks.verdict_plans import STEPS, Plan, recipe_of
from core.files import write_text

if TYPE_CHECKING:
    from flows.ladder import Ladder, Rung
    from flows.recipe import Recipe

RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
SETS: tuple[tuple[Style, int], ...] = (("openmoji", 20), ("poster", 20), ("openmoji", 60))
"""style and size"""


def make(root: Path, path: Path) -> None:
    """Climb, then search in full, where that is not written down yet."""
    from flows.ladder import SHARE, best_rung

    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for style, size in SETS:
        plan = Plan(style, size, 0, "lora", "right", purpose="ladder", changes=("metrics=[{kind: probe, most: 12}]",))
        recipe = recipe_of(root, plan)
        longer = recipe.model_copy(update={"train": recipe.train.model_copy(update={"steps": SHARE * STEPS})})
        both = found.setdefault(plan.dataset, {})
        for name, own in (("ladder", recipe), ("grid", longer)):
            if name not in both:
                ladder = ladder_of(own, name)
                rungs = ladder.climbed([(rate, None) for rate in RATES])[0] if name == "ladder" else all_of(ladder)
                both[name] = {"best": best_rung(rungs).rate, "rungs": [rung.as_json() for rung in rungs]}
                write_text(path, json.dumps(found, indent=1))


def ladder_of(recipe: Recipe, name: str) -> Ladder:
    """With a parent run of its own."""
    from benchmarks.verdict_truth import taken
    from flows import stages
    from flows.home import Home
    from flows.ladder import Ladder
    from flows.tracking import Tracking

    store = stages.open_store(recipe)
    snapshot, tracking = taken(recipe, store), Tracking(Home.of(recipe.home))
    return Ladder(recipe, store, snapshot, tracking, tracking.begin(name, name, {}, recipe.flat()))


def all_of(ladder: Ladder) -> list[Rung]:
    """Every rate."""
    return [ladder.rung(rate, None) for rate in RATES]


def told(path: Path) -> list[Goal]:
    """How far apart the two are, and what they took."""
    if not path.exists():
        return []
    goals = []
    for dataset, both in json.loads(path.read_text()).items():
        if len(both) < 2:
            continue
        best = [RATES.index(both[name]["best"]) for name in ("ladder", "grid")]
        steps = [sum(rung["steps"] for rung in both[name]["rungs"]) for name in ("ladder", "grid")]
        apart, cost = abs(best[0] - best[1]), steps[0] / steps[1]
        rates = f"{RATES[best[0]]:g}, {RATES[best[1]]:g}"
        goals += [
            Goal(f"{dataset}: ladder's rate, full search's rate", rates, "at most one rung apart", apart <= 1),
            Goal("    ladder's steps beside the full search's", f"{cost:.0%}", "at most 40 %", cost <= 0.4),
        ]
    return goals
