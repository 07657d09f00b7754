"""`prefect.yaml` on a real server with a real worker, as a studio runs it."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from flows.recipe import Recipe, read_recipe
from tests.flows.pictures import SMALL, six_pictures
from tests.flows.servers import PREFECT, ROOT, prefect, prefect_server, running, until

pytestmark = pytest.mark.server
DEPLOYMENT = "dataset-to-model/dataset-to-model"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("studio")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[dict[str, str]]:
    with prefect_server(folder) as env:
        prefect(env, "--no-prompt", "work-pool", "create", "velatura-cpu", "--type", "process", "--overwrite")
        prefect(env, "--no-prompt", "deploy", "--all")
        yield env


def ask(env: dict[str, str], path: str, body: dict[str, object]) -> list[dict[str, object]]:
    request = urllib.request.Request(
        env["PREFECT_API_URL"] + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


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
    prefect(server, "--no-prompt", "deploy", "--all")
    assert len(ask(server, "/deployments/filter", {})) == len(
        yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    )


def test_a_worker_runs_the_deployment_to_a_registered_model(server: dict[str, str], folder: Path) -> None:
    recipe = SMALL | {"pictures": {"kind": "folder", "path": str(six_pictures(folder / "pictures"))}}
    log = folder / "worker.log"
    with running([*PREFECT, "worker", "start", "--pool", "velatura-cpu"], server, log):
        prefect(server, "deployment", "run", DEPLOYMENT, "--params", json.dumps({"recipe": recipe}))

        def ended() -> dict[str, object] | None:
            body = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}}}
            return next(iter(ask(server, "/flow_runs/filter", body)), None)

        run = until("the end of the run", ended, seconds=240)
    assert isinstance(run, dict)
    assert run["state_type"] == "COMPLETED", f"{run['state']}\n{log.read_text()[-3000:]}"
    assert list((folder / "data" / "runs").glob("six-*/report.html"))
