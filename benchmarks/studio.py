"""A studio of its own: pictures, a recipe and a real `velatura up`, of which one asks over HTTP what became of runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil
from mlflow import MlflowClient
from mlflow.entities import Run

from core.snapshot import Snapshot
from flows.home import Home
from flows.stations import Ports, environment
from flows.tracking import EXPERIMENT
from store.store import Store
from tests.flows.pictures import SMALL, six_pictures
from tests.flows.servers import free_port

ROOT = Path(__file__).parents[1]
DATASET = "scenario"
WATCH, DECIDE = "watch-sources", "decide-and-train"
OVER = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
T = TypeVar("T")


class Studio:
    """Pictures in a folder, and the servers that an environment names."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.pictures, self.env, self.home = folder / "pictures", env, Home(Path(env["VELATURA_DATA"]))
        self.count = len(list(self.pictures.glob("shape-*.png")))
        self.deployments: dict[str, str] = {}
        self._command: list[str] = []
        self.up: subprocess.Popen[bytes] | None = None
        """`velatura up`, where it was started for this studio"""
        self.mlflow = MlflowClient(env.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.home.root / 'mlflow.db'}")

    def add(self, number: int) -> None:
        """So many new pictures, each a motif of its own."""
        self.count += number
        six_pictures(self.pictures, self.count)

    def change(self) -> None:
        """Another picture in the place of the first one."""
        other = six_pictures(self.pictures.parent / "others", self.count + 50) / f"shape-{self.count + 49:02d}.png"
        (self.pictures / "shape-00.png").write_bytes(other.read_bytes())

    def recipe(self, name: str, steps: int) -> dict[str, Any]:
        """A recipe of these pictures: trained when three new motifs are there."""
        every = max(steps // 4, 2)
        return SMALL | {
            "name": name,
            "dataset": DATASET,
            "home": str(self.home.root),
            "pictures": {"kind": "folder", "path": str(self.pictures)},
            "train": {
                "steps": steps,
                "batch_size": 2,
                "log_every": 1,
                "checkpoint_every": min(every, 20),
                "probe_every": every,
            },
            "retrain": {"new_groups": 3, "changed": 0.5, "captions_edited": None},
        }

    def ask(self, path: str, body: object = None) -> Any:
        """What Prefect's API answers: to a POST where there is a body. One that is busy is asked again."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.env["PREFECT_API_URL"] + path, data, {"Content-Type": "application/json"})
        for pause in (1, 2, 4, 8, 16, 0):
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return json.loads(answer.read() or b"null")
            except OSError as error:
                if not pause or (isinstance(error, urllib.error.HTTPError) and error.code < 500):
                    raise
                time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def deployment(self, name: str) -> str:
        """Its id."""
        if name not in self.deployments:
            self.deployments[name] = str(self.ask(f"/deployments/name/{name}/{name}")["id"])
        return self.deployments[name]

    def begin(self, name: str, **parameters: object) -> str:
        """Start a deployment by hand; the run's id."""
        body = {"parameters": parameters, "idempotency_key": str(uuid.uuid4())}  # asked twice, begun once
        return str(self.ask(f"/deployments/{self.deployment(name)}/create_flow_run", body)["id"])

    def runs(self, name: str) -> list[dict[str, Any]]:
        """The runs of a deployment, oldest first, without those that only a schedule has planned."""
        body = {"deployments": {"id": {"any_": [self.deployment(name)]}}, "limit": 200}
        found = [run for run in self.ask("/flow_runs/filter", body) if run["start_time"] or not run["auto_scheduled"]]
        return sorted(found, key=lambda run: str(run["created"]))

    def ended(self, run: str, seconds: float = 240) -> dict[str, Any]:
        """A run when it is over."""

        def over() -> dict[str, Any] | None:
            found: dict[str, Any] = self.ask(f"/flow_runs/{run}")
            return found if found["state_type"] in OVER else None

        return until(f"the end of run {run}", over, seconds)

    def look(self, recipe: dict[str, Any]) -> str:
        """Let the server look at the source, as its schedule does every five minutes; the state that ended in."""
        return str(self.ended(self.begin(WATCH, recipe=recipe, quiet=1))["state_type"])

    def at_rest(self, more_than: int, seconds: float) -> list[dict[str, Any]]:
        """All runs of the guard, when there are more than so many and none of them waits or runs any longer."""
        rest: list[float] = []

        def quiet() -> list[dict[str, Any]] | None:
            runs = self.runs(DECIDE)
            if len(runs) <= more_than or any(run["state_type"] not in OVER for run in runs):
                rest.clear()
                return None
            rest.append(time.monotonic())
            return runs if rest[-1] - rest[0] > 8 else None  # what an event has just started is seen by then

        return until(f"rest after more than {more_than} runs of the guard", quiet, seconds)

    def words(self, run: str) -> str:
        """What a run logged."""
        lines = self.ask("/logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC"})
        return "\n".join(str(line["message"]) for line in lines)

    def trainings(self, name: str) -> list[Run]:
        """MLflow's runs of a recipe, the newest first."""
        experiment = self.mlflow.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            return []
        return list(self.mlflow.search_runs([experiment.experiment_id], f"tags.`velatura.recipe` = '{name}'"))

    def newest(self) -> Snapshot:
        """The dataset's newest version."""
        return Store.open(self.home.store(DATASET)).snapshots()[-1]

    def spools(self, name: str) -> list[Path]:
        """The files that trainers of a recipe write figures to."""
        return sorted(self.home.root.glob(f"runs/{name}-*/metrics.jsonl"), key=lambda path: path.stat().st_mtime)

    def open(self, ports: Ports | None = None) -> None:
        """Start `velatura up`, without a recipe, so that nothing is watched by itself; the second time as the first."""
        if ports is not None:
            command = [sys.executable, "-m", "flows.command_line", "up"]
            self._command = [*command, "--mlflow-port", str(ports.mlflow), "--prefect-port", str(ports.prefect)]
        outside = {k: v for k, v in self.env.items() if k not in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI")}
        said = self.pictures.parent / "up.log"
        with said.open("wb") as log:
            self.up = subprocess.Popen(
                self._command, env=outside, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )
        until("velatura up", lambda: "Ctrl-C stops" in said.read_text() or self.up.poll() is not None, 600)
        if self.up.poll() is not None:
            raise RuntimeError(f"velatura up ended:\n{said.read_text()}")

    def cut_off(self) -> None:
        """Kill -9 of `velatura up` and all that it has started, as when the current fails."""
        assert self.up is not None
        above = psutil.Process(self.up.pid)
        for one in [above, *above.children(recursive=True)]:
            one.kill()
        self.up.wait(30)

    def station(self, name: str) -> psutil.Process:
        """A process of `velatura up`, by what it calls it."""
        said = json.loads((self.home.root / "up.json").read_text())
        return psutil.Process(said["stations"][name])

    def kill(self, name: str) -> None:
        """Kill -9 of a process of `velatura up` and all that it has started."""
        try:
            process = self.station(name)
            family = [process, *process.children(recursive=True)]
        except (psutil.NoSuchProcess, OSError, ValueError):
            return
        for one in family:
            try:
                one.kill()
            except psutil.NoSuchProcess:
                continue

    def keep_down(self, name: str, seconds: float) -> None:
        """Kill it, and again whenever it is started again, for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.kill(name)
            time.sleep(0.5)


def until(what: str, look: Callable[[], T | None], seconds: float) -> T:
    """The first true value that ``look()`` gives; a `TimeoutError` says what was waited for. A server may be away."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            value = look()
        except OSError:
            value = None
        if value:
            return value
        time.sleep(1)
    raise TimeoutError(f"{what} was waited for, for {seconds:.0f} s")


@contextmanager
def opened(folder: Path) -> Iterator[Studio]:
    """`velatura up` and twelve pictures; SIGTERM at the end."""
    home = Home(folder / "data")
    ports = Ports(free_port(), free_port())
    studio = Studio(folder, environment(home, ports) | {"OMP_NUM_THREADS": "1"})
    studio.add(max(12 - studio.count, 0))
    try:
        studio.open(ports)
        yield studio
    finally:
        if studio.up is not None and studio.up.poll() is None:
            os.kill(studio.up.pid, signal.SIGTERM)
            studio.up.wait(30)
