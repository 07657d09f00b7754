"""Which run a command is about: a folder, a run's name, or the newest one of a recipe."""

import difflib
from pathlib import Path

from core.errors import RecipeError
from flows.home import Home
from flows.job import Job
from flows.judgement import Judgement


def judged_run(run: str, home: str) -> tuple[Job, Judgement]:
    """The run and what became of it; `RecipeError` lists those that are there, or says that it is not finished."""
    folder = folder_of(run, home)
    job = Job.read(folder)
    judgement = Judgement.read(job)
    if judgement is None:
        raise RecipeError(f"{folder.name} is not finished; `velatura run` goes on with it where it stopped")
    return job, judgement


def folder_of(run: str, home: str) -> Path:
    """The run's folder."""
    if (Path(run).expanduser() / "job.json").is_file():
        return Path(run).expanduser().absolute()
    place = Home.of(home)
    known = {path.parent.name: path.parent for path in place.run("any").parent.glob("*/job.json")}
    if run in known:
        return known[run]
    of_recipe = [path for name, path in known.items() if name.rpartition("-")[0] == run]
    if of_recipe:
        return max(of_recipe, key=lambda path: (path / "job.json").stat().st_mtime_ns)
    near = difflib.get_close_matches(run, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    there = ", ".join(sorted(known)) or "none yet; `velatura run RECIPE` makes one"
    raise RecipeError(f"{place.root} has no run {run!r}; {hint}there are: {there}")
