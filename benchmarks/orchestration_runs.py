"""Many runs in the tracking store: `python -m benchmarks.orchestration_runs FOLDER COUNT`.

Prints the seconds that comparing and the guard's decision take, and those of the whole command `velatura compare`.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from core.snapshot import Snapshot
from flows import stages
from flows.comparing_runs import rows
from flows.guard import decide_for
from flows.home import Home
from flows.recipe import Recipe, check
from flows.spool import Figure
from flows.tracking import SPEC, Tracking
from store.store import Store
from tests.flows.pictures import SMALL, six_pictures


def filled(recipe: Recipe, newest: Snapshot, count: int) -> None:
    """Finished runs with parameters, tags and a curve each, as a run leaves them; the last of them of older data."""
    tracking = Tracking(Home.of(recipe.home))
    for number in range(count):
        tags = {"velatura.recipe": recipe.name, "velatura.dataset": f"data-{number:04}", "velatura.verdict": "healthy"}
        tags |= {"velatura.manifest": newest.manifest if number == count // 2 else f"{number:064x}"}
        tags |= {SPEC: recipe.model_key("") if number % 2 else f"other-{number % 7}", "velatura.learning": "+0.2"}
        run = tracking.begin(f"key-{number}", f"run-{number}", tags, recipe.flat())
        tracking.log_figures(run, [Figure("train/loss", 1 / (step + 1), step, step) for step in range(20)])
        tracking.end(run)


def main() -> None:
    """Fill the store, then ask."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    pictures = {"kind": "folder", "path": str(six_pictures(folder / "pictures", 12))}
    recipe = check(SMALL | {"pictures": pictures, "home": str(folder / "data")}, "benchmark")
    store: Store = stages.open_store(recipe)
    stages.read_pictures(recipe, store)
    stages.choose_pictures(recipe, store)
    newest = store.snapshot()
    filled(recipe, newest, count)
    place = Home.of(recipe.home)
    began = time.monotonic()
    rows(place, [])
    compare = time.monotonic() - began
    began = time.monotonic()
    decide_for(recipe, store, newest)
    guard = time.monotonic() - began
    began = time.monotonic()
    command = [sys.executable, "-m", "flows.command_line", "compare", "--home", str(place.root), "--json"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=dict(os.environ))
    print(json.dumps([compare, guard, time.monotonic() - began]))


if __name__ == "__main__":
    main()
