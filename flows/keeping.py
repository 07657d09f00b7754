"""What in the data folder is no longer needed by anything, and why: looked for here, removed by `remove`.

Never touched: originals and everything that a snapshot holds, weights, reports, figures and pictures of any run, the
checkpoints of a run that is not finished, MLflow's database and files, and anything outside the data folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from flows.dataset_choice import dataset_names
from flows.eviction import surplus
from flows.home import Home
from flows.job import Job
from flows.retraining import WAYS
from store.lock import if_free
from store.store import Store

DAY = 86400.0
PARTIAL = re.compile(r"^\..+\.(\d+)\.partial$")
"""what `core.files.replacing` calls a file that is being written: with the writer's process id"""
WRITTEN = ("runs", "watch", "evaluations", "pulled", "ladders", "reports", "prepared")
"""folders of ours in which a stopped process may leave a half"""
RUNG = "-rung"
"""how the recipe of a ladder's rung is called, behind the ladder's own name"""


@dataclass(frozen=True, slots=True)
class Needless:
    """One thing that can go."""

    what: str
    path: Path
    size: int
    """bytes"""
    why: str

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {"what": self.what, "path": str(self.path), "bytes": self.size, "why": self.why}


def needless(home: Home, days: float, cache: float | None = None) -> Iterator[Needless]:
    """Everything that can go and has not been touched for so many days.

    ``cache``: gigabytes of latents and text states that a dataset may have; the rest can go where no run holds it.
    """
    yield from checkpoints(home, days)
    yield from empty_runs(home, days)
    yield from halves(home)
    yield from evaluations(home, days)
    if cache is not None:
        yield from arrays(home, cache)
    yield from versions(home, days)


def checkpoints(home: Home, days: float) -> Iterator[Needless]:
    """Checkpoints of runs that are finished: they are for going on, and there is nothing to go on with."""
    for folder in sorted((home.root / "runs").glob("*/training/checkpoints")):
        run = folder.parents[1]
        last, why = run / "verdict.json", "the run is finished and registered; its weights stay"
        if not registered(run):
            looked = last_look(run)
            if looked is None:
                continue
            last, why = looked, "the rung, part or remedy is trained to its end; its weights and figures stay"
        if old(last, days) and is_idle(run):
            yield Needless("checkpoints", folder, size_of(folder), why)


def last_look(run: Path) -> Path | None:
    """The mark of the last step of a ladder's rung, of a run without one part, or of a remedy that was trained.

    They are trained to their end, and never registered: nothing comes after that. None for any other run.
    """
    job = Job.readable(run)
    if job is None:
        return None
    short = job.recipe.name.endswith(RUNG) or job.recipe.fold is not None
    draws = job.recipe.samples.previews or job.recipe.samples.memorisation
    remedy = job.recipe.name.endswith(tuple(f"-{way}" for way in WAYS))
    if not job.finished or not (remedy or (short and not draws)):
        return None
    return job.gave_up if job.gave_up.exists() else job.mark(job.recipe.train.end)


def empty_runs(home: Home, days: float) -> Iterator[Needless]:
    """Folders of runs that never got as far as a job or a data card."""
    for run in sorted((home.root / "runs").glob("*/")):
        if not any(path.is_file() and path.name != ".lock" for path in run.rglob("*")) and old(run, days):
            yield Needless("empty run", run, 0, "nothing was ever written into it")


def halves(home: Home) -> Iterator[Needless]:
    """Files, and folders of them, that were being written by a process that is gone."""
    for place in WRITTEN:
        for path in sorted((home.root / place).rglob(".*.partial")):
            found = PARTIAL.match(path.name)
            if found and not is_alive(int(found.group(1))) and old(path, 1 / 24):
                yield Needless("half a file", path, size_of(path), "its writer was stopped; the whole one is untouched")


def evaluations(home: Home, days: float) -> Iterator[Needless]:
    """What `velatura evaluate` keeps of its looks at other people's adapters: all of it can be made again."""
    for folder in sorted((home.root / "evaluations").glob("*/")):
        newest = max((path.stat().st_mtime for path in folder.rglob("*") if path.is_file()), default=0.0)
        if time.time() - newest > days * DAY:
            yield Needless("cache", folder, size_of(folder), "of `velatura evaluate`; made again when it is asked for")


def versions(home: Home, days: float) -> Iterator[Needless]:
    """Versions of a store's tables that no snapshot holds, and what killed writers left there."""
    for name in dataset_names(home):
        place = home.store(name)
        size = Store.open(place).let_go(timedelta(days=days), delete=False)
        if size:
            yield Needless("old versions", place, size, "no snapshot holds them")


def arrays(home: Home, most: float) -> Iterator[Needless]:
    """The oldest latents and text states beyond ``most`` gigabytes a dataset that no run holds."""
    for name, count, size in surplus(home, most):
        why = f"{count} latents and text states that no run holds, of more than {most:g} GB; made again when needed"
        yield Needless("cached arrays", home.store(name), size, why)


def remove(found: Needless, home: Home, days: float, cache: float | None = None) -> int:
    """Remove one thing if it is still needless; the bytes that were freed."""
    assert found.path.absolute().is_relative_to(home.root.absolute())
    if found.what == "old versions":
        return Store.open(found.path).let_go(timedelta(days=days), delete=True)
    if found.what == "cached arrays":
        assert cache is not None
        return next((size for _, _, size in surplus(home, cache, only=found.path.name, delete=True)), 0)
    if found.what == "checkpoints" and not is_idle(found.path.parents[1]):
        return 0
    if found.path.is_dir():
        shutil.rmtree(found.path)
    else:
        found.path.unlink(missing_ok=True)
    return found.size


def registered(run: Path) -> bool:
    """Whether the run was judged and its model is in the registry."""
    try:
        return bool(json.loads((run / "verdict.json").read_text())["version"])
    except (OSError, ValueError, KeyError):
        return False


def is_idle(run: Path) -> bool:
    """Whether no process works on the run."""
    if not (run / ".lock").exists():
        return True
    with if_free(run / ".lock") as free:
        return free


def is_alive(process: int) -> bool:
    """Whether there is a process of this number on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def old(path: Path, days: float) -> bool:
    """Whether it was last changed more than so many days ago."""
    return time.time() - path.stat().st_mtime > days * DAY


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file() and not one.is_symlink())
