"""Stages told as runs below a run: each once, with its own times, however often and from wherever it is told."""

from pathlib import Path

import pytest

from core.snapshot import Snapshot
from flows import stage_runs
from flows.home import Home
from flows.job import Job
from flows.recipe import Recipe, check
from flows.stage_runs import Laps, Stage
from flows.tracking import Tracking
from tests.flows.pictures import SMALL

SNAPSHOT = Snapshot(store="/somewhere/store", tag="data-0003", count=12, held_out=3, manifest="ab" * 32)
STAGES = [Stage("ingest", 1000, 3000, {"read": 7, "refused/truncated": 1}), Stage("train", 5000, 9000, {"steps": 4})]


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    pictures = {"kind": "folder", "path": str(tmp_path)}
    return check(SMALL | {"pictures": pictures, "home": str(tmp_path)}, "test")


def test_a_kill_in_the_middle_leaves_no_stage_twice_and_none_half_told(recipe: Recipe, tmp_path: Path) -> None:
    tracking, job = Tracking(Home(tmp_path)), Job(tmp_path / "six-k1", "k1", recipe, SNAPSHOT)
    run = tracking.begin("k1", "six-k1", {}, {})

    class Killed(Exception):
        pass

    class Dies(Tracking):
        def end(self, run: str, status: str = "FINISHED", at: int | None = None) -> None:
            raise Killed

    with pytest.raises(Killed):
        stage_runs.log(job, Dies(Home(tmp_path)), run, STAGES)
    for _ in range(2):
        stage_runs.log(job, tracking, run, STAGES)
    found = {one.data.tags["velatura.stage"]: one for one in tracking.below(run).values()}
    assert len(tracking.below(run)) == len(found) == 2
    assert [(one.info.start_time, one.info.end_time, one.info.status) for one in (found["ingest"], found["train"])] == [
        (1000, 3000, "FINISHED"),
        (5000, 9000, "FINISHED"),
    ]
    assert found["ingest"].data.metrics == {"read": 7, "refused/truncated": 1, "seconds": 2}
    history = tracking.client.get_metric_history(found["ingest"].info.run_id, "read")
    assert len(history) == 1


def test_what_made_a_version_of_the_data_is_known_to_whoever_trains_on_it_later(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    laps = Laps()
    for name in ("ingest", "curate", "caption", "augment"):
        laps.end(name)
    done: dict[str, dict[str, float]] = {"ingest": {"read": 7}, "caption": {"made": 3}}
    monkeypatch.setattr(stage_runs, "data_figures", lambda _: done)
    stage_runs.keep(recipe, SNAPSHOT, laps, None)  # type: ignore[arg-type]
    done = {"ingest": {"read": 1}, "curate": {"kept": 9}}  # gone on with after a kill: one picture was tried again
    stage_runs.keep(recipe, SNAPSHOT, laps, None)  # type: ignore[arg-type]
    known = stage_runs.kept(recipe, SNAPSHOT)
    assert {one.name: dict(one.figures) for one in known} == {
        "ingest": {"read": 7},
        "caption": {"made": 3},
        "curate": {"kept": 9},
    }
    (path,) = (Path(recipe.home) / "prepared").iterdir()
    path.write_text("[{")
    assert stage_runs.kept(recipe, SNAPSHOT) == [], "it is only told; a run does not end of it"
