"""`prefect.yaml` on a real server with a real worker, as a studio runs it."""

import json
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from benchmarks.scenarios import missing
from benchmarks.studio import DECIDE, Studio
from flows.lost_runs import Lookout, end_those
from flows.recipe import Recipe, read_recipe
from flows.stations import POOLS, ZOMBIES
from tests.flows.servers import PREFECT, ROOT, prefect, prefect_server, running, until

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("studio")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[dict[str, str]]:
    """A server with all deployments."""
    with prefect_server(folder) as env:
        bootstrap(env)
        yield env


def bootstrap(env: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-m", "flows.bootstrap"], env=env, cwd=ROOT, check=True, timeout=240)


def send(env: dict[str, str], path: str, body: object, method: str = "POST") -> bytes:
    data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(env["PREFECT_API_URL"] + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())


def get(env: dict[str, str], path: str) -> dict[str, object]:
    with urllib.request.urlopen(env["PREFECT_API_URL"] + path, timeout=60) as answer:
        return dict(json.loads(answer.read()))


def ask(env: dict[str, str], path: str, body: dict[str, object]) -> list[dict[str, object]]:
    return json.loads(send(env, path, body))


def test_the_deployed_recipe_is_the_one_in_recipes() -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    (parameters,) = [d["parameters"] for d in deployments if d["name"] == "dataset-to-model"]
    assert Recipe.model_validate(parameters["recipe"]) == read_recipe(ROOT / "recipes" / "openmoji.yaml")


def test_every_flow_is_a_deployment_and_a_script() -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    files = {path for path in (ROOT / "flows").glob("*.py") if "\n@flow(" in path.read_text()}
    names = {one["name"]: one["name"].replace("-", "_") for one in deployments}
    assert {one["entrypoint"] for one in deployments} == {f"flows.{name}.{name}" for name in names.values()}
    assert {ROOT / "flows" / f"{name}.py" for name in names.values()} == files
    assert all('if __name__ == "__main__":' in path.read_text() for path in files)


def test_a_cron_deployment_really_gets_scheduled_runs(server: dict[str, str]) -> None:
    def scheduled() -> list[dict[str, object]]:
        return ask(server, "/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}})

    runs = until("a scheduled run", scheduled, seconds=90)
    assert isinstance(runs, list)
    assert all(run["auto_scheduled"] for run in runs)


def test_deploying_again_from_any_folder_by_prefect_itself_too_changes_nothing(
    server: dict[str, str], tmp_path: Path
) -> None:
    before = {one["id"] for one in ask(server, "/deployments/filter", {})}
    send(server, "/work_pools/velatura-gpu", {"concurrency_limit": 3}, "PATCH")
    elsewhere = {name: value for name, value in server.items() if name != "PYTHONPATH"}  # as it is installed
    prefect(elsewhere, "--no-prompt", "deploy", "--all", "--prefect-file", str(ROOT / "prefect.yaml"), cwd=tmp_path)
    command = [sys.executable, "-m", "flows.command_line", "deploy"]
    subprocess.run(command, env=server, cwd=tmp_path, check=True, timeout=240)
    found = ask(server, "/deployments/filter", {})
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    assert len(found) == len(deployments) and {one["id"] for one in found} == before
    assert all("{{ $VELATURA_HOME }}" in json.dumps(one["pull_steps"]) for one in found), "no path of this machine"
    hourly = get(server, "/deployments/name/housekeeping/housekeeping")["schedules"]
    assert isinstance(hourly, list)
    assert sorted(str(one["parameters"]) for one in hourly) == ["{'only_lost': True}", "{}"]
    names = [one["name"] for one in ask(server, "/automations/filter", {})]
    assert sorted(names) == sorted([ZOMBIES, "velatura-dataset-changed", "velatura-begin-again"])
    limits = {one["name"]: one["concurrency_limit"] for one in ask(server, "/work_pools/filter", {})}
    assert limits == {**POOLS, "velatura-gpu": 3}, "one that was changed stays"


def test_runs_that_fell_silent_while_the_server_was_away_are_ended(server: dict[str, str]) -> None:
    api = server["PREFECT_API_URL"]
    (flow,) = [one["id"] for one in ask(server, "/flows/filter", {}) if one["name"] == "housekeeping"]
    given = {"silent": "RUNNING", "to be cancelled": "CANCELLING", "alive": "RUNNING", "another's": "RUNNING"}
    runs = {}
    for name, state in given.items():
        body = {"flow_id": flow, "name": name, "state": {"type": state}}
        runs[name] = json.loads(send(server, "/flow_runs/", body))["id"]
    given["taken"] = "PENDING"  # by a worker that is started anew before the run begins
    deployment = str(get(server, "/deployments/name/model-to-report/model-to-report")["id"])
    body = {"name": "taken", "state": {"type": "PENDING"}, "labels": {"prefect.worker.name": "mine"}}
    runs["taken"] = json.loads(send(server, f"/deployments/{deployment}/create_flow_run", body))["id"]
    send(server, "/work_pools/velatura-gpu/workers/heartbeat", {"name": "mine"})

    def emit(event: str, resource: dict[str, str]) -> None:
        now = datetime.now(UTC).isoformat()
        send(server, "/events", [{"id": str(uuid.uuid4()), "occurred": now, "event": event, "resource": resource}])

    def sign(name: str) -> None:
        emit("prefect.flow-run.heartbeat", {"prefect.resource.id": f"prefect.flow-run.{runs[name]}"})

    worker = {"prefect.resource.id": "prefect.worker.process.mine", "prefect.resource.name": "mine"}
    emit("prefect.worker.started", worker)
    ended: list[str] = []
    for name in ("silent", "to be cancelled", "alive"):
        sign(name)
    lookout = Lookout(api, silent=20, grace=2)

    def all_three() -> bool:
        sign("alive")
        ended.extend(lookout.look())
        return len(ended) >= 3

    until("the signs, put down", all_three, seconds=90)
    assert sorted(ended) == ["silent", "taken", "to be cancelled"]

    def states() -> dict[str, object]:
        return {name: get(server, f"/flow_runs/{run}")["state_type"] for name, run in runs.items()}

    over = {"silent": "CRASHED", "to be cancelled": "CANCELLED", "taken": "CRASHED"}
    assert states() == {**given, **over}
    assert end_those(api, [runs["silent"], runs["another's"]], "ended") == ["another's"]
    assert states() == {**given, **over, "another's": "CRASHED"}
    assert end_those(api, [], "ended") == []
    again = {"state": {"type": "RUNNING"}, "force": True}
    send(server, f"/flow_runs/{runs['silent']}/set_state", again)
    assert "silent" not in Lookout(api, silent=20, grace=0).look(), "it was begun again, and its signs are of before"


def test_a_worker_trains_a_model_and_one_changed_file_is_too_little_for_another(
    server: dict[str, str], folder: Path
) -> None:
    """A short share of `python -m benchmarks.scenarios`."""
    studio, log = Studio(folder, server), folder / "worker.log"
    studio.add(12)
    recipe = studio.recipe("six", 4)
    with running([*PREFECT, "worker", "start", "--type", "process", "--pool", "velatura-gpu"], server, log):
        first = studio.ended(studio.begin(DECIDE, recipe=recipe), 400)
        assert first["state_type"] == "COMPLETED", f"{first['state']}\n{log.read_text()[-3000:]}"
        assert list((folder / "data" / "runs").glob("six-*/report.html"))
        studio.change()
        second = studio.ended(studio.begin(DECIDE, recipe=recipe), 200)
        assert second["state_type"] == "COMPLETED", f"{second['state']}\n{log.read_text()[-3000:]}"
        said = "not training: too little has changed"
        assert said in log.read_text()
        until("its words on the server, where Prefect brings them", lambda: said in studio.words(second["id"]), 120)
    assert len(studio.trainings("six")) == 1
    assert missing(studio, "six") == 0
