"""What a studio lives through, on a real server with real workers: changes, and whatever can be down or killed.

`python -m benchmarks.scenarios [NAME]...` prints what was seen beside what must be; 1 where that differs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from benchmarks.goal import Goal
from benchmarks.studio import DECIDE, Studio, opened, until
from flows.spool import read
from training.checkpoint import steps_in


def one_file(studio: Studio, name: str = "demo", steps: int = 20) -> Iterator[Goal]:
    """A first model; then one file is changed, which is too little."""
    recipe = studio.recipe(name, steps)
    if not studio.trainings(name):
        yield from trained(studio, recipe, "the first look at the source")
    before, runs = len(studio.trainings(name)), len(studio.runs(DECIDE))
    studio.change()
    studio.look(recipe)
    asked = studio.at_rest(runs, 120)[-1]
    words = studio.words(asked["id"])
    yield goal("one file changed: trainings", len(studio.trainings(name)) - before, 0)
    yield goal("  the guard's words", "too little" if "not training: too little has changed" in words else words[-200:],
               "too little")  # fmt: skip


def enough(studio: Studio, name: str = "demo", steps: int = 20) -> Iterator[Goal]:
    """Four new motifs, where three are enough."""
    studio.add(4)
    yield from trained(studio, studio.recipe(name, steps), "four pictures more")


def five_changes(studio: Studio) -> Iterator[Goal]:
    """Five changes, each of them enough, while a training runs."""
    name = f"five-{studio.count}"
    recipe = studio.recipe(name, steps_for(studio, 150))
    begun(studio, recipe)
    runs = len(studio.runs(DECIDE))
    looks = []
    for _ in range(5):
        studio.add(3)
        looks.append(studio.look(recipe))
    during = sum(run.info.status == "RUNNING" for run in studio.trainings(name))
    yield goal("five changes while a training runs: it still runs after them", during, 1)
    yield goal("  looks that ended well", looks.count("COMPLETED"), 5)
    ends = [run["state_type"] for run in studio.at_rest(runs, 1500)]
    found = studio.trainings(name)
    yield goal("  trainings, with the one that ran", len(found), 2)
    yield goal("  the data of the second", found[0].data.tags["velatura.dataset"], studio.newest().tag)
    yield goal("  runs of the guard that did not end well", len(ends) - ends.count("COMPLETED"), 0)


def server_down(studio: Studio) -> Iterator[Goal]:
    """Prefect's server away for 30 seconds in the middle of a training, and a change meanwhile."""
    name = f"down-{studio.count}"
    recipe = studio.recipe(name, steps_for(studio, 90))
    run = begun(studio, recipe)
    studio.keep_down("prefect", 30)
    studio.add(4)
    until("Prefect", lambda: studio.ask("/health"), 240)
    yield goal("server down for 30 s: the run that ran ended", studio.ended(run, 900)["state_type"], "COMPLETED")
    yield goal("  its model's run", studio.trainings(name)[0].info.status, "FINISHED")
    yield goal("  figures missing in MLflow", missing(studio, name), 0)
    runs = len(studio.runs(DECIDE))
    studio.look(recipe)
    studio.at_rest(runs, 900)
    yield goal("  the change that came meanwhile is trained on", datasets(studio, name)[0], studio.newest().tag)


def worker_killed(studio: Studio) -> Iterator[Goal]:
    """Kill -9 of the worker, its flow and its trainer: nobody is left who could say that the run is over."""
    name, steps = f"killed-{studio.count}", steps_for(studio, 60)
    recipe = studio.recipe(name, steps)
    run = begun(studio, recipe)
    spool = studio.spools(name)[-1]
    until("a checkpoint", lambda: max(f.step for f in read(spool)) > steps / 2, 600)
    killed, runs = time.time(), len(studio.runs(DECIDE))
    studio.kill("worker velatura-gpu")
    yield goal("worker killed: its run", studio.ended(run, 600)["state_type"], "CRASHED")
    print(f"        {time.time() - killed:.0f} s after the kill", flush=True)
    again = studio.at_rest(runs, 900)[-1]
    yield goal("  begun again by itself, and ended", again["state_type"], "COMPLETED")
    kept = [f for f in read(spool) if f.key == "train/loss" and f.time_ms < killed * 1000]
    yield goal("  it went on from a checkpoint", max((f.step for f in kept), default=0) >= steps // 4, True)
    yield goal("  runs in MLflow", [one.info.status for one in studio.trainings(name)], ["FINISHED"])
    yield goal("  figures missing in MLflow", missing(studio, name), 0)


def current_fails(studio: Studio, away: float = 240) -> Iterator[Goal]:
    """Kill -9 of everything in the middle of a training; `velatura up` again when signs of life are long overdue."""
    name, steps = f"dark-{studio.count}", steps_for(studio, 60)
    run = begun(studio, studio.recipe(name, steps))
    spool = studio.spools(name)[-1]
    until("a checkpoint", lambda: max(f.step for f in read(spool)) > steps / 2, 600)
    studio.cut_off()
    time.sleep(away)
    studio.open()
    runs = len(studio.runs(DECIDE))
    yield goal("everything killed, and away for long: its run", studio.ended(run, 300)["state_type"], "CRASHED")
    yield goal("  begun again by itself, and ended", studio.at_rest(runs, 900)[-1]["state_type"], "COMPLETED")
    yield goal("  runs in MLflow", [one.info.status for one in studio.trainings(name)], ["FINISHED"])
    yield goal("  figures missing in MLflow", missing(studio, name), 0)


def mlflow_down(studio: Studio, seconds: float = 300) -> Iterator[Goal]:
    """MLflow away for five minutes in the middle of a training."""
    name = f"untold-{studio.count}"
    recipe = studio.recipe(name, steps_for(studio, seconds + 60))
    run = begun(studio, recipe)
    spool = studio.spools(name)[-1]
    before = len(read(spool))
    studio.keep_down("mlflow", seconds)
    during = len(read(spool)) - before
    yield goal(f"MLflow down for {seconds:.0f} s: figures written meanwhile, above 0", during > 0, True)
    yield goal("  the run ended", studio.ended(run, 1500)["state_type"], "COMPLETED")
    there = len(read(spool))
    yield goal(f"  of {there} figures ({during} of these five minutes) missing in MLflow", missing(studio, name), 0)
    yield goal("  its model's run", studio.trainings(name)[0].info.status, "FINISHED")


def ended(studio: Studio, limit: float = 10) -> Iterator[Goal]:
    """SIGTERM to `velatura up` in the middle of a training; then it is started again."""
    assert studio.up is not None
    name = f"ended-{studio.count}"
    run = begun(studio, studio.recipe(name, steps_for(studio, 60)))
    runs = len(studio.runs(DECIDE))
    family = psutil.Process(studio.up.pid).children(recursive=True)
    began = time.monotonic()
    studio.up.terminate()
    studio.up.wait(120)
    seconds = time.monotonic() - began
    yield Goal("`velatura up` ended while it trains, s", f"{seconds:.1f}", f"under {limit:.0f}", seconds < limit)
    left = [one.pid for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    yield goal(f"  of {len(family)} processes still there", len(left), 0)
    spool = studio.spools(name)[-1]
    saved = next(iter(steps_in(spool.parent / "training" / "checkpoints")), 0)
    yield goal("  steps that were done and not saved", max(figure.step for figure in read(spool)) - saved, 0)
    studio.open()
    yield goal("started again: its run", studio.ended(run, 30)["state_type"], "CRASHED")
    yield goal("  begun again by itself, and ended", studio.at_rest(runs, 900)[-1]["state_type"], "COMPLETED")
    yield goal("  runs in MLflow", [one.info.status for one in studio.trainings(name)], ["FINISHED"])
    yield goal("  figures missing in MLflow", missing(studio, name), 0)


SCENARIOS: dict[str, Callable[[Studio], Iterator[Goal]]] = {
    "one-file": one_file,
    "enough": enough,
    "five-changes": five_changes,
    "server-down": server_down,
    "worker-killed": worker_killed,
    "mlflow-down": mlflow_down,
    "current-fails": current_fails,
    "ended": ended,
}


def trained(studio: Studio, recipe: dict[str, object], what: str) -> Iterator[Goal]:
    """Let the server look at the source: exactly one training must follow, of the newest data."""
    name = str(recipe["name"])
    before, runs = len(studio.trainings(name)), len(studio.runs(DECIDE))
    studio.look(recipe)
    ends = [run["state_type"] for run in studio.at_rest(runs, 600)[runs:]]
    yield goal(f"{what}: runs of the guard", ends, ["COMPLETED"])
    yield goal("  trainings", len(studio.trainings(name)) - before, 1)
    yield goal("  its data", datasets(studio, name)[:1], [studio.newest().tag])


def begun(studio: Studio, recipe: dict[str, object]) -> str:
    """A training that runs, of a recipe that was never trained before; the id of its flow run."""
    name = str(recipe["name"])
    run = studio.begin(DECIDE, recipe=recipe)
    until("the first step", lambda: [s for s in studio.spools(name) if any(f.step > 2 for f in read(s))], 900)
    return run


def steps_for(studio: Studio, seconds: float) -> int:
    """Steps that take so long, by those of the first model."""
    times = [
        figure.time_ms for spool in studio.spools("demo")[:1] for figure in read(spool) if figure.key == "train/loss"
    ]
    if len(times) < 2:
        raise RuntimeError("run the scenario one-file first: it trains the model that says how long a step takes")
    gaps = sorted(b - a for a, b in itertools.pairwise(times))
    return max(int(seconds * 1000 / max(gaps[len(gaps) // 2], 1)), 8)


def datasets(studio: Studio, name: str) -> list[str]:
    """What the trainings of a recipe were trained on, the newest first."""
    return [run.data.tags["velatura.dataset"] for run in studio.trainings(name)]


def missing(studio: Studio, name: str) -> int:
    """Figures that a trainer wrote and MLflow does not have, counted one by one."""
    count = 0
    for run in studio.trainings(name):
        written = read(studio.home.run(run.info.run_name) / "metrics.jsonl")
        keys = {figure.key for figure in written}
        there = {(key, m.step) for key in keys for m in studio.mlflow.get_metric_history(run.info.run_id, key)}
        count += len({(figure.key, figure.step) for figure in written} - there)
    return count


def goal(what: str, seen: object, must: object) -> Goal:
    """What was seen beside what must be."""
    return Goal(what, json.dumps(seen) if not isinstance(seen, str) else seen, str(must), seen == must)


def main() -> int:
    """Print what each scenario saw; 1 where it was not what must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*SCENARIOS, []], help="default: all, which takes half an hour")
    parser.add_argument("--folder", type=Path, help="work here, and leave everything behind to look at or to go on")
    asked = parser.parse_args()
    names = asked.names or list(SCENARIOS)
    short = 0
    with (
        tempfile.TemporaryDirectory(prefix="velatura-scenarios-") as temporary,
        opened(asked.folder or Path(temporary)) as studio,
    ):
        for name in dict.fromkeys([*([] if studio.spools("demo") else ["one-file"]), *names]):
            print(f"{name}: {(SCENARIOS[name].__doc__ or '').strip()}", flush=True)
            began = time.monotonic()
            try:
                for seen in SCENARIOS[name](studio):
                    print(seen, flush=True)
                    short += not seen.met
            except TimeoutError as error:
                print(f"SHORT {error}", flush=True)
                short += 1
            print(f"        {time.monotonic() - began:.0f} s", flush=True)
    print(f"{short} of these were not as they must be; goal: 0")
    return int(short > 0)


if __name__ == "__main__":
    sys.exit(main())
