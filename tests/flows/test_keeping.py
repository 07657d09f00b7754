"""What housekeeping finds and removes, and above all what it leaves alone."""

import json
import os
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from core.cache import Touched
from core.caption import Caption
from core.snapshot import Snapshot
from flows.eviction import held, hold
from flows.home import Home
from flows.housekeeping import keep_house
from flows.job import Job
from flows.keeping import DAY, size_of
from flows.recipe import check
from store.lock import exclusive
from store.store import Store
from tests.store.things import a_record, all_rows

OLD = time.time() - 30 * DAY


def put(path: Path, *, age: float = OLD, text: str = "x" * 1000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (age, age))
    return path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "data")


def run_folder(home: Home, name: str, *, version: str = "1", age: float = OLD) -> Path:
    folder = home.run(name)
    put(folder / "training" / "checkpoints" / "step-00000004.safetensors")
    put(folder / "training" / "weights" / "step-00000004" / "kohya.safetensors")
    put(folder / "weights" / "mine.safetensors")
    put(folder / "report.html")
    put(folder / ".lock", text="")
    put(folder / "verdict.json", age=age, text=json.dumps({"version": version}))
    return folder


def files(home: Home) -> set[str]:
    return {str(path.relative_to(home.root)) for path in home.root.rglob("*") if path.is_file()}


def test_only_checkpoints_of_finished_runs_go_and_only_when_asked(home: Home) -> None:
    run_folder(home, "done-1")
    run_folder(home, "unregistered-2", version="")
    run_folder(home, "fresh-3", age=time.time())
    put(home.run("stopped-4") / "training" / "checkpoints" / "step-00000002.safetensors")
    before = files(home)
    found = keep_house(home, 14, delete=False)
    assert [(one.what, one.path.parents[1].name, one.size) for one in found.found] == [("checkpoints", "done-1", 1000)]
    assert files(home) == before
    assert keep_house(home, 14, delete=True).freed == 1000
    assert before - files(home) == {"runs/done-1/training/checkpoints/step-00000004.safetensors"}


def short_run(home: Home, run: str, *, draws: bool = False, end: bool = True, **changes: object) -> Path:
    """The folder of a rung or a part, as its trainer leaves it: neither judged nor registered."""
    pictures = {"kind": "folder", "path": str(home.root)}
    changes = {"train": {"steps": 4}} | changes
    samples = {} if draws else {"samples": {"previews": 0, "memorisation": 0}}
    recipe = check({"name": "mine", "pictures": pictures} | samples | changes, "test")
    job = Job(home.run(run), run, recipe, Snapshot("/s", "data-0001", 0, 0, ""))
    job.write()
    put(job.training / "checkpoints" / "step-00000004.safetensors")
    put(job.weights(4) / "kohya.safetensors")
    if end:
        put(job.mark(4), text="")
    return job.folder


def test_checkpoints_of_rungs_and_parts_go_when_these_are_trained_to_their_end(home: Home) -> None:
    short_run(home, "mine-rung-1", name="mine-rung")
    short_run(home, "mine-2", fold=[1, 3])
    put(short_run(home, "mine-rung-3", name="mine-rung", end=False) / "stopped-early", text="2\n")
    short_run(home, "mine-rung-4", name="mine-rung", end=False)  # stopped, or it ran away: it goes on there
    short_run(home, "mine-5")  # trained, and not judged yet
    short_run(home, "mine-rung-6", name="mine-rung", draws=True)  # somebody's own, of that name
    put(short_run(home, "mine-7", fold=[1, 3]) / "job.json", text="{")
    put(short_run(home, "mine-8", fold=[1, 3]) / "steps" / "000004" / "looked", age=time.time())
    short_run(home, "mine-10", fold=[1, 3], train={"steps": 8, "stop_at": 4})  # its parts had seen enough there
    short_run(home, "mine-lower_rank-1", name="mine-lower_rank", draws=True)
    busy = short_run(home, "mine-9", fold=[2, 3])
    before = files(home)
    with exclusive(busy / ".lock"):
        found = keep_house(home, 14, delete=True).found
    gone = {
        f"runs/{name}/training/checkpoints/step-00000004.safetensors"
        for name in ("mine-rung-1", "mine-2", "mine-rung-3", "mine-10", "mine-lower_rank-1")
    }
    assert {str(one.path.relative_to(home.root)) + "/step-00000004.safetensors" for one in found} == gone
    assert before - files(home) == gone


def test_a_run_that_somebody_works_on_is_left_alone(home: Home) -> None:
    folder = run_folder(home, "done-1")
    with exclusive(folder / ".lock"):
        assert not keep_house(home, 14, delete=True).found


def test_halves_of_dead_writers_and_old_evaluations_go(home: Home) -> None:
    mine = put(home.run("a-1") / f".weights.safetensors.{os.getpid()}.partial")
    put(home.run("a-1") / "job.json")
    put(home.run("a-1") / ".weights.safetensors.4194304.partial")  # above the largest process id
    for place in ("pulled/mine-1/.mine.safetensors", "ladders/mine-1/.ladder.html", "reports/.mine.html"):
        put(home.root / f"{place}.4194304.partial")
        put(home.root / place.replace("/.", "/"))
    copied = put(home.root / "pulled" / "mine-1" / ".pulling.ab12.4194304.partial" / "mine.safetensors")
    os.utime(copied.parent, (OLD, OLD))
    put(home.root / "evaluations" / "old" / "probe.npz")
    put(home.root / "evaluations" / "new" / "probe.npz", age=time.time())
    put(home.run("empty-2") / ".lock", text="")
    os.utime(home.run("empty-2"), (OLD, OLD))
    found = keep_house(home, 14, delete=True)
    assert [one.what for one in found.found] == ["empty run", *["half a file"] * 5, "cache"]
    whole = {"pulled/mine-1/mine.safetensors", "ladders/mine-1/ladder.html", "reports/mine.html"}
    assert files(home) == {f"runs/a-1/{mine.name}", "runs/a-1/job.json", "evaluations/new/probe.npz", *whole}


def test_versions_that_a_snapshot_holds_stay_readable(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.upkeep.READABLE", timedelta(0))
    store = Store.open(home.store("mine"))
    store.put_records([a_record(1)])
    held = store.snapshot()
    for text in ("one", "two", "three"):
        store.put_captions([Caption(a_record(1).id, user=text)])
    found = keep_house(home, 0, delete=False).found
    assert [one.what for one in found] == ["old versions"]
    assert keep_house(home, 0, delete=True).freed > 0
    assert not keep_house(home, 0, delete=False).found
    assert len(store.records(tag=held.tag)) == 1
    assert store.captions()[a_record(1).id].user == "three"


def a_run(home: Home, store: Store, name: str, keys: list[str] | None) -> None:
    """A run's folder, as its trainer leaves it."""
    recipe = check({"name": "mine", "pictures": {"kind": "folder", "path": str(home.root)}}, "test")
    job = Job(home.run(name), name, recipe, Snapshot(store.uri, "data-0001", 0, 0, ""))
    job.write()
    job.training.mkdir()
    if keys is not None:
        cache = Touched(store.cache("latents"))
        assert cache.get(keys).keys() == set(keys)
        hold(job, {"latents": cache})


def latents_of(store: Store) -> set[str]:
    return {row["key"] for row in all_rows(store, "latents")}


def test_the_oldest_cached_arrays_go_but_none_that_a_run_holds(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.upkeep.READABLE", timedelta(0))
    store = Store.open(home.store("mine"))
    for number in range(4):
        store.cache("latents").put({f"key-{number}": np.full(250_000, number, np.float32)})
    store.put_records([a_record(1)])
    tagged = store.snapshot()
    a_run(home, store, "mine-1", ["key-0"])
    room = 2.1e6 / 2**30  # of four megabytes
    assert keep_house(home, 14, delete=True).found == []
    (one,) = [one for one in keep_house(home, 0, delete=False, cache=room).found if one.what == "cached arrays"]
    assert (one.what, one.size) == ("cached arrays", 2_000_000)
    assert latents_of(store) == {f"key-{number}" for number in range(4)}
    keep_house(home, 0, delete=True, cache=room)
    assert latents_of(store) == {"key-0", "key-3"}
    np.testing.assert_array_equal(store.cache("latents").get(["key-0"])["key-0"], np.zeros(250_000, np.float32))
    assert size_of(home.store("mine") / "latents.lance") < 2.2e6
    assert store.records(tag=tagged.tag) == [a_record(1)]
    keep_house(home, 0, delete=True, cache=0)
    assert latents_of(store) == {"key-0"}


def test_where_a_run_has_not_said_what_it_holds_no_array_goes(home: Home) -> None:
    store = Store.open(home.store("mine"))
    store.cache("latents").put({"key": np.zeros(9)})
    a_run(home, store, "mine-1", None)
    assert not keep_house(home, 0, delete=True, cache=0).found
    assert latents_of(store) == {"key"}


def test_where_a_run_cannot_be_read_nothing_is_known_to_be_free_of_it(home: Home) -> None:
    assert held(home, "/s") is not None
    put(home.run("damaged-1") / "job.json", text="{")
    assert held(home, "/s") is None
