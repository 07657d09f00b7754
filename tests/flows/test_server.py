"""`prefect.yaml` on a real server with a real worker, as a studio runs it."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from flows.bootstrap import ZOMBIES, deployments_for
from flows.recipe import Recipe, read_recipe
from tests.flows.pictures import SMALL, six_pictures
from tests.flows.servers import PREFECT, ROOT, prefect, prefect_server, running, until

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("studio")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[dict[str, str]]:
    """A server with all deployments, their trigger's half a minute made shorter."""
    with prefect_server(folder) as env:
        value = deployments_for(None)
        (trigger,) = next(one for one in value["deployments"] if one["name"] == "decide-and-train")["triggers"]
        trigger |= {"within": 3, "schedule_after": 3}
        file = folder / "prefect.yaml"
        file.write_text(yaml.safe_dump(value))
        env["PREFECT_FILE"] = str(file)
        bootstrap(env)
        yield env


def bootstrap(env: dict[str, str]) -> None:
    command = "import asyncio; from flows import bootstrap; asyncio.run(bootstrap.prepare())"
    subprocess.run([sys.executable, "-c", command], env=env, cwd=ROOT, check=True, timeout=240)
    prefect(env, "--no-prompt", "deploy", "--all", "--prefect-file", env["PREFECT_FILE"])


def send(env: dict[str, str], path: str, body: object) -> bytes:
    request = urllib.request.Request(
        env["PREFECT_API_URL"] + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())


def ask(env: dict[str, str], path: str, body: dict[str, object]) -> list[dict[str, object]]:
    return json.loads(send(env, path, body))


def test_the_deployed_recipe_is_the_one_in_recipes() -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    (parameters,) = [d["parameters"] for d in deployments if d["name"] == "dataset-to-model"]
    assert Recipe.model_validate(parameters["recipe"]) == read_recipe(ROOT / "recipes" / "openmoji.yaml")


def test_a_cron_deployment_really_gets_scheduled_runs(server: dict[str, str]) -> None:
    def scheduled() -> list[dict[str, object]]:
        return ask(server, "/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}})

    runs = until("a scheduled run", scheduled, seconds=90)
    assert isinstance(runs, list)
    assert all(run["auto_scheduled"] for run in runs)


def test_deploying_again_changes_nothing(server: dict[str, str]) -> None:
    bootstrap(server)
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    assert len(ask(server, "/deployments/filter", {})) == len(deployments)
    names = [one["name"] for one in ask(server, "/automations/filter", {})]
    assert sorted(names) == sorted([ZOMBIES, "velatura-dataset-changed"])


def test_a_worker_runs_a_deployment_to_a_registered_model(server: dict[str, str], folder: Path) -> None:
    recipe = SMALL | {"pictures": {"kind": "folder", "path": str(six_pictures(folder / "pictures"))}}
    log = folder / "worker.log"
    with running([*PREFECT, "worker", "start", "--type", "process", "--pool", "velatura-gpu"], server, log):
        parameters = json.dumps({"recipe": recipe})
        prefect(server, "deployment", "run", "decide-and-train/decide-and-train", "--params", parameters)

        def ended() -> dict[str, object] | None:
            body = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}}}
            found = ask(server, "/flow_runs/filter", body)
            return next((run for run in found if run["deployment_id"]), None)

        run = until("the end of the run", ended, seconds=400)
    assert isinstance(run, dict)
    assert run["state_type"] == "COMPLETED", f"{run['state']}\n{log.read_text()[-3000:]}"
    assert list((folder / "data" / "runs").glob("six-*/report.html"))
