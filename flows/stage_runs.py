"""The stages of a run as MLflow runs below it: when each worked and what came of it, told in one go at the end.

What became of the data is written down when a version of it is made, which may be long before anything is trained on it
and in another flow: the run that is trained tells it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from core.files import write_text
from core.hashing import digest
from core.snapshot import Snapshot
from flows.home import Home
from flows.job import Job
from flows.judgement import Judgement
from flows.reaching import kept_trying
from flows.recipe import Recipe
from flows.spool import Figure, read
from flows.summary import Prepared
from flows.tracking import Tracking

STAGE = "velatura.stage"
"""tag of a run that is a stage of the one above it"""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage that had something to do."""

    name: str
    began: int
    """milliseconds since 1970, as `ended`"""
    ended: int
    figures: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


class Laps:
    """When stages that follow each other began and ended: each began where the one before it ended."""

    def __init__(self) -> None:
        self._last = _now()
        self.spans: dict[str, tuple[int, int]] = {}

    def end(self, name: str) -> None:
        """The stage of this name is over."""
        began, self._last = self._last, _now()
        self.spans[name] = (began, self._last)


def keep(recipe: Recipe, snapshot: Snapshot, laps: Laps, done: Prepared) -> None:
    """Write down what made this version of the data. What is known of it already stays: little is done twice."""
    worked = [Stage(name, *laps.spans[name], figures) for name, figures in data_figures(done).items()]
    path = _path(recipe, snapshot)
    known = {stage.name for stage in kept(recipe, snapshot)}
    if new := [stage for stage in worked if stage.name not in known]:
        write_text(path, json.dumps([asdict(one) for one in [*kept(recipe, snapshot), *new]], indent=1))


def kept(recipe: Recipe, snapshot: Snapshot) -> list[Stage]:
    """What made this version of the data, as far as it is known here."""
    try:
        return [Stage(**one) for one in json.loads(_path(recipe, snapshot).read_text())]
    except (OSError, ValueError, TypeError):  # none, or damaged: it is only told
        return []


def data_figures(done: Prepared) -> dict[str, dict[str, float]]:
    """What came of each stage that had something to do."""
    read, curated, captioned, augmented = done.ingested, done.curated, done.captioned, done.augmented
    found: dict[str, dict[str, float]] = {}
    if read.read or read.removed or read.returned:
        names = ("found", "read", "decoded", "new", "removed", "returned")
        found["ingest"] = {name: getattr(read, name) for name in names} | _reasons(read.refused)
    if curated.changed:
        said = {"kept": curated.kept, "held_out": curated.held_out, "groups": curated.groups}
        found["curate"] = {**said, "refused": curated.num_refused, **_reasons(curated.refused)}
    if captioned.made:
        found["caption"] = asdict(captioned)
    if augmented.made or augmented.refused or augmented.removed:
        found["augment"] = asdict(augmented)
    return found


def stages_of(job: Job, laps: Laps, judgement: Judgement, version: str) -> list[Stage]:
    """All stages of a run that is through, those of its data first."""
    figures = read(job.spool)
    began, ended = laps.spans["train"]
    if figures:  # a run that was killed and went on has begun before
        began = min(began, figures[0].time_ms)
        ended = ended if figures[-1].time_ms > laps.spans["train"][0] else figures[-1].time_ms
    return [
        *kept(job.recipe, job.snapshot),
        Stage("train", began, max(began, ended), {"steps": judgement.last_step}),
        Stage("evaluate", *laps.spans["evaluate"], judgement.figures, {"velatura.verdict": judgement.state}),
        Stage("register", *laps.spans["register"], {}, {"velatura.version": version}),
    ]


def log(job: Job, tracking: Tracking, run: str, stages: Sequence[Stage]) -> None:
    """A run below ``run`` for each stage, with one search and three calls each; told again, none is there twice."""

    def tell() -> None:
        there = tracking.below(run)
        for one in stages:
            key = digest("stage", job.key, one.name)
            known = there.get(key)
            if known is not None and known.info.status == "FINISHED":
                continue
            tags, name = {STAGE: one.name, **one.tags}, f"{job.folder.name}: {one.name}"
            child = known.info.run_id if known else tracking.past_child(run, key, name, tags, one.began)
            said = {**one.figures, "seconds": (one.ended - one.began) / 1000}  # MLflow sorts by metrics, not durations
            tracking.log_figures(child, [Figure(name, float(value), 0, one.ended) for name, value in said.items()])
            tracking.end(child, at=one.ended)

    kept_trying(tracking.home.tracking, tell)


def adopt_parts(recipe: Recipe, snapshot: Snapshot, tracking: Tracking, run: str) -> None:
    """Put the runs without a part of ``recipe`` (`split.k_fold`) below the one that trains on everything.

    They come first, and only they say for how long that one is to train, so what it is called is not known before.
    """
    from flows.folding import of_part  # with torch, which has chosen the steps

    count = recipe.split.k_fold

    def tell() -> None:
        for number in range(1, count + 1):
            part = tracking.find(of_part(recipe, number, count).model_key(snapshot.manifest))
            if part is not None:
                tracking.tag(part.info.run_id, {"mlflow.parentRunId": run})

    kept_trying(tracking.home.tracking, tell)


def _reasons(refused: Mapping[str, int]) -> dict[str, float]:
    return {f"refused/{code}": count for code, count in refused.items()}


def _path(recipe: Recipe, snapshot: Snapshot) -> Path:
    folder = Home.of(recipe.home).root / "prepared"
    return folder / f"{recipe.dataset or recipe.name}-{snapshot.manifest[:32]}.json"


def _now() -> int:
    return int(time.time() * 1000)
