"""Which runs are taken for lost, on a Prefect that answers as the real one does (that one is in test_server)."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from core.errors import SourceError
from flows.home import Home
from flows.housekeeping import housekeeping
from flows.lost_runs import Lookout, end_lost, end_those
from flows.recipe import check
from flows.stations import HEARTBEAT
from flows.watch_sources import watch_sources
from tests.flows.pictures import SMALL
from tests.flows.test_keeping import put


class Prefect:
    """Runs, workers and events, as its API tells them."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.pools = {"cpu": "process", "cluster": "kubernetes"}
        self.workers: dict[str, list[dict[str, str]]] = {"cpu": [], "cluster": []}
        self.events: list[tuple[str, str, datetime]] = []
        self.address = ""

    def run(self, name: str, state: str, ago: float, worker: str | None = None, pool: str = "cpu") -> None:
        labels = {} if worker is None else {"prefect.worker.name": worker}
        when = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat()
        run = name.replace(" ", "-")
        about = {"state_type": state, "state": {"timestamp": when}, "work_pool_name": pool}
        self.runs[run] = {"id": run, "name": name, "labels": labels, **about}

    def sign(self, name: str, ago: float) -> None:
        self._event("prefect.flow-run.heartbeat", f"prefect.flow-run.{name.replace(' ', '-')}", ago)

    def worker(self, name: str, *, status: str = "ONLINE", began: float, pool: str = "cpu") -> None:
        self.workers[pool] = [one for one in self.workers[pool] if one["name"] != name]
        self.workers[pool].append({"name": name, "status": status})
        self._event("prefect.worker.started", name, began)

    def _event(self, event: str, of: str, ago: float) -> None:
        self.events.append((event, of, datetime.now(UTC) - timedelta(seconds=ago)))

    def answer(self, path: str, body: Any) -> Any:
        if path == "/flow_runs/filter":
            asked = body["flow_runs"]
            ids = asked.get("id", {}).get("any_", list(self.runs))
            states = asked["state"]["type"]["any_"]
            return [run for run in self.runs.values() if run["state_type"] in states and run["id"] in ids]
        if path == "/events/filter":
            which = body["filter"]
            resource = which["resource"]
            of = resource.get("id", list(resource.get("labels", {}).values()))
            found = [when for event, one, when in self.events if event in which["event"]["name"] and one in of]
            return {"events": [{"occurred": when.isoformat()} for when in sorted(found, reverse=True)[: body["limit"]]]}
        _, kind, name, *rest = path.split("/")
        if kind == "work_pools":
            return self.workers[name] if rest else {"type": self.pools[name]}
        assert (kind, rest) == ("flow_runs", ["set_state"])
        self.runs[name]["state_type"] = body["state"]["type"]
        return {}


@pytest.fixture
def prefect() -> Iterator[Prefect]:
    prefect = Prefect()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
            said = json.dumps(prefect.answer(self.path, body)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        prefect.address = f"http://127.0.0.1:{server.server_port}"
        yield prefect
        server.shutdown()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def looked(prefect: Prefect, pauses: list[float]) -> list[str]:
    """What is ended by a look and further ones after so many seconds each."""
    clock = Clock()
    lookout = Lookout(prefect.address, silent=180, grace=90, clock=clock)
    ended = lookout.look()
    for pause in pauses:
        clock.now += pause
        ended += lookout.look()
    return ended


def test_a_silent_run_is_ended_at_the_second_look_and_one_to_be_cancelled_is_cancelled(prefect: Prefect) -> None:
    prefect.run("silent", "RUNNING", 3000)
    prefect.run("to be cancelled", "CANCELLING", 3000)
    prefect.run("alive", "RUNNING", 3000)
    prefect.run("another's", "RUNNING", 3000)
    prefect.run("begun again", "RUNNING", 20)
    for name, ago in (("silent", 500), ("to be cancelled", 500), ("alive", 20), ("begun again", 500)):
        prefect.sign(name, ago)
    assert looked(prefect, []) == looked(prefect, [45]) == []
    assert sorted(looked(prefect, [45, 45])) == ["silent", "to be cancelled"]
    over = {"silent": "CRASHED", "to-be-cancelled": "CANCELLED"}
    assert {name: run["state_type"] for name, run in prefect.runs.items() if name in over} == over


def test_a_run_that_gives_signs_is_alive_though_the_server_was_away_or_its_clock_is_late(prefect: Prefect) -> None:
    prefect.run("late", "RUNNING", 3000)
    prefect.sign("late", 600)  # the machine's clock, or the last sign that came through
    clock = Clock()
    lookout = Lookout(prefect.address, silent=180, grace=90, clock=clock)
    for look in range(20):
        assert lookout.look() == []
        clock.now += 60
        prefect.sign("late", 600 - HEARTBEAT * (look + 1) / 10)


def test_a_server_that_was_away_between_two_looks_has_not_listened(prefect: Prefect) -> None:
    prefect.run("cut off", "RUNNING", 3000)
    prefect.sign("cut off", 600)
    clock = Clock()
    lookout = Lookout(prefect.address, silent=180, grace=90, clock=clock)
    lookout.look()
    lookout.api, there = "http://127.0.0.1:9", lookout.api
    with pytest.raises(OSError, match="refused"):
        lookout.look()
    lookout.api = there
    clock.now = 3600
    assert lookout.look() == []
    clock.now += 90
    assert lookout.look() == ["cut off"]


def test_a_run_that_was_taken_and_never_begun_is_ended_where_its_worker_is_gone(prefect: Prefect) -> None:
    prefect.worker("again", began=400)
    prefect.worker("gone", began=90_000, status="OFFLINE")
    prefect.worker("busy", began=90_000)
    prefect.worker("far", began=400, pool="cluster")
    for name in ("again", "gone", "busy"):
        prefect.run(f"taken by {name}", "PENDING", 1000, name)
    prefect.run("taken by one of whom nothing is known any more", "PENDING", 1000, "forgotten")
    prefect.run("just taken", "PENDING", 100, "gone")
    prefect.run("taken since", "PENDING", 300, "again")
    prefect.run("waits in a cluster", "PENDING", 1000, "far", "cluster")
    prefect.run("taken by one who had no time to say so", "PENDING", 1000)
    assert looked(prefect, [45]) == []
    lost = ["taken by again", "taken by gone", "taken by one of whom nothing is known any more"]
    assert looked(prefect, [90]) == lost  # `busy` might have taken the one that does not say by whom it was
    prefect.worker("busy", began=10)
    assert sorted(looked(prefect, [90])) == ["taken by busy", "taken by one who had no time to say so"]
    assert end_those(prefect.address, ["just-taken"], "ended") == ["just taken"]


def test_any_deployment_looks_for_lost_runs(prefect: Prefect, monkeypatch: pytest.MonkeyPatch) -> None:
    prefect.run("silent", "RUNNING", 3000)
    prefect.sign("silent", 500)
    monkeypatch.setattr("flows.announcing.server", lambda: "")
    assert end_lost(grace=0) == []
    monkeypatch.setattr("flows.announcing.server", lambda: "http://127.0.0.1:9")
    assert end_lost(grace=0) == []
    monkeypatch.setattr("flows.announcing.server", lambda: prefect.address)
    assert end_lost(grace=0.2) == ["silent"]
    assert end_lost(grace=0.2) == []


def test_the_flows_of_a_server_without_velatura_up_look_before_they_do_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    monkeypatch.setattr("flows.watch_sources.end_lost", lambda: looks.append("watch-sources"))
    monkeypatch.setattr("flows.housekeeping.end_lost", lambda: looks.append("housekeeping"))
    put(Home(tmp_path).run("a-1") / ".half.4194304.partial")
    assert housekeeping.fn(str(tmp_path), only_lost=True).found == []
    assert [one.what for one in housekeeping.fn(str(tmp_path)).found] == ["half a file"]
    pictures = {"kind": "folder", "path": str(tmp_path / "nothing")}
    with pytest.raises(SourceError):
        watch_sources.fn(check(SMALL | {"pictures": pictures, "home": str(tmp_path)}, "test"))
    assert looks == ["housekeeping", "housekeeping", "watch-sources"]
