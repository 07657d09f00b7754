"""The demo as a newcomer meets it: how long it takes, what it learns, and what overfitting looks like beside it.

`python -m benchmarks.demo` works in a temporary folder (or `--folder`), one OpenMP thread, and prints every figure
beside its goal.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.demo import FOLDER, drawing

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure beside what is asked of it."""

    what: str
    figure: str
    asked: str
    met: bool

    def __str__(self) -> str:
        return f"{'ok  ' if self.met else 'SHORT'} {self.what:<58} {self.figure:>22}   goal: {self.asked}"


def measure(folder: Path, say: Callable[[str], None]) -> list[Goal]:
    """All figures of the demo, each told as soon as it is known."""
    goals: list[Goal] = []

    def note(what: str, figure: str, asked: str, met: bool) -> None:
        goals.append(Goal(what, figure, asked, met))
        say(str(goals[-1]))

    subprocess.run([sys.executable, "-m", "scripts.demo", str(FOLDER)], cwd=folder, env=_env(), check=True)
    first, seconds = run(folder, "openmoji")
    figures = first["figures"]
    note("the demo, seconds without the installation", f"{seconds:.0f}", "under 300", seconds < 300)
    note(
        "learning on held-out pictures",
        _interval(figures, "probe/learning"),
        "above 0",
        figures["probe/learning_low"] > 0,
    )
    share = looks_share(folder)
    note("looks in training, share of its time", f"{share:.1%}", "under 10 %", share < 0.1)
    again, seconds = run(folder, "openmoji")
    idle = not again["fresh"] and again["read"] == again["captions"]["made"] == again["derived"]["made"] == 0
    note("the same again, seconds", f"{seconds:.0f}", "under 30", seconds < 30)
    note("the same again, anything computed", "nothing" if idle else "something", "nothing", idle)
    (folder / FOLDER / "cow.png").write_bytes(drawing("🐮"))
    more, _ = run(folder, "openmoji", "train.steps=80", "name=openmoji-more", "dataset=openmoji")
    alone = (more["read"], more["captions"]["made"]) == (1, 1) and more["fresh"]
    note("one picture more: pictures read and captioned", f"{more['read']}, {more['captions']['made']}", "1, 1", alone)
    long, _ = run(folder, "overlong")
    then = long["last_figures"]
    gap, copies = then["probe/gap"], then["memorisation/copy_rate"]
    note(
        "gap of the overlong run at its end",
        _interval(then, "probe/gap"),
        "above the demo's",
        then["probe/gap_low"] > figures["probe/gap"],
    )
    note("copy rate of the overlong run at its end", f"{copies:.2f}", "above 0.05", copies > 0.05)
    note(
        "verdict on the overlong run's last step",
        long["last_state"],
        "not healthy",
        long["last_state"] != "healthy" and gap > 0,
    )
    return goals


def looks_share(folder: Path) -> float:
    """What all looks measured in, the one at the base too, beside all the time of training but that of drawing."""
    (spool,) = folder.glob("velatura-data/runs/openmoji-*/metrics.jsonl")
    said = {(one["key"], one["step"]): one["value"] for one in map(json.loads, spool.read_text().splitlines())}
    measured, looked, times = (
        {step: value for (key, step), value in said.items() if key == name}
        for name in ("look/measuring_seconds", "look/seconds", "train/seconds_per_step")
    )
    steps = sorted(times)
    whole = sum(times[step] * (step - before) for before, step in zip([0, *steps], steps, strict=False))
    return float(sum(measured.values()) / (whole - sum(looked.values()) + sum(measured.values())))


def run(folder: Path, recipe: str, *changes: str) -> tuple[dict[str, Any], float]:
    """What `velatura run recipes/NAME.yaml` says, and the seconds it took."""
    command = [sys.executable, "-m", "flows.command_line", "run", str(ROOT / "recipes" / f"{recipe}.yaml"), *changes]
    began = time.monotonic()
    done = subprocess.run([*command, "--json"], cwd=folder, env=_env(), stdout=subprocess.PIPE, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    return said, time.monotonic() - began


def _env() -> dict[str, str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    for name in ("VELATURA_DATA", "PREFECT_HOME", "PREFECT_API_URL", "MLFLOW_TRACKING_URI"):
        env.pop(name, None)
    return env


def _interval(figures: dict[str, float], name: str) -> str:
    return f"{figures[name]:+.3f} [{figures[name + '_low']:+.3f}, {figures[name + '_high']:+.3f}]"


def main() -> int:
    """Print the figures; 1 where one falls short of its goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="work here and leave everything behind to look at")
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory(prefix="velatura-bench-") as temporary:
        place = folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        goals = measure(place, lambda words: print(words, flush=True))
    return int(not all(goal.met for goal in goals))


if __name__ == "__main__":
    sys.exit(main())
