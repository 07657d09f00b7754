"""One training in the flow and bare: `python -m benchmarks.orchestration_share FOLDER MINUTES`.

Prints the seconds of the bare one and of that in the flow; the trainer's CPU seconds there, those of everything else
(Prefect with its temporary server, MLflow, this process), and the seconds before the trainer's start and after its end
within the flow. MLflow's database is there already, as in every run but the first.
"""

import json
import resource
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

import psutil
from prefect import flow

from flows import stages, tasks
from flows.embedded import start_prefect
from flows.home import Home
from flows.job import Job
from flows.recipe import check
from flows.spool import read
from flows.tracking import Tracking
from tests.flows.pictures import SMALL, six_pictures


def job_of(folder: Path, steps: int) -> Job:
    """A run of small pictures that nothing looks at on the way, since looking is no part of the comparison."""
    pictures = {"kind": "folder", "path": str(six_pictures(folder / "pictures", 12))}
    train = {"steps": steps, "batch_size": 2, "checkpoint_every": 100, "probe_every": steps}
    recipe = check(SMALL | {"pictures": pictures, "home": str(folder / "data"), "train": train}, "benchmark")
    store = stages.open_store(recipe)
    with store.writer():
        stages.read_pictures(recipe, store)
        stages.choose_pictures(recipe, store)
        stages.write_captions(recipe, store)
        return stages.prepare_job(recipe, store.snapshot())


def bare(job: Job) -> float:
    """Seconds of the trainer by itself."""
    job.folder.mkdir(parents=True, exist_ok=True)
    job.write()
    began = time.monotonic()
    with (job.folder / "trainer.log").open("wb") as log:
        command = [sys.executable, "-m", "flows.trainer", str(job.folder)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log)
        if process.wait():
            raise RuntimeError((job.folder / "trainer.log").read_text())
    return time.monotonic() - began


def steps_for(folder: Path, seconds: float) -> int:
    """How many steps take so long, by the median of some."""
    job = job_of(folder, 61)
    bare(job)
    times = [(f.step, f.time_ms) for f in read(job.spool) if f.key == "train/loss"]
    return int(seconds * 1000 / max(median((b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(times)), 1))


def used(kind: int) -> float:
    """CPU seconds of this process, or of those that it has waited for."""
    said = resource.getrusage(kind)
    return said.ru_utime + said.ru_stime


def main() -> None:
    """Measure both, the one in the flow first."""
    folder, seconds = Path(sys.argv[1]), 60 * float(sys.argv[2])
    steps = steps_for(folder / "pace", seconds)
    job = job_of(folder / "flow", steps)
    tracking = Tracking(Home.of(job.recipe.home))
    command = [sys.executable, "-c", "import sys; from flows.home import Home; from flows.tracking import Tracking; "
               "Tracking(Home.of(sys.argv[1])).experiment", job.recipe.home]  # fmt: skip
    subprocess.run(command, check=True)
    start_prefect(Home.of(job.recipe.home)).wait()
    (server,) = [one for one in psutil.Process().children() if "uvicorn" in one.cmdline()]

    ends = []

    class Noted(stages.Following):
        def to_the_end(self) -> None:
            ends.append(time.time())  # the trainer's process is over
            super().to_the_end()

    stages.Following = Noted  # type: ignore[misc]

    @flow
    def around() -> None:
        with stages.alone(job):
            run = stages.begin_run(job, tracking)
            tasks.train(job, tracking, run)

    mine, children, servers = used(resource.RUSAGE_SELF), used(resource.RUSAGE_CHILDREN), sum(server.cpu_times()[:2])
    wall, began = time.time(), time.monotonic()
    around()
    whole = time.monotonic() - began
    trainer = used(resource.RUSAGE_CHILDREN) - children
    extra = used(resource.RUSAGE_SELF) - mine + sum(server.cpu_times()[:2]) - servers
    outside = (job.folder / "job.json").stat().st_mtime - wall + whole - (ends[0] - wall)
    print(json.dumps([bare(job_of(folder / "bare", steps)), whole, trainer, extra, outside]))


if __name__ == "__main__":
    main()
