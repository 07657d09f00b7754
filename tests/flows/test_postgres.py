"""Both servers on PostgreSQL, as docs/templates/docker-compose.yaml has them, and a run that is told to both."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.pictures import SMALL, six_pictures
from tests.flows.postgres import postgres, programs
from tests.flows.servers import ROOT, free_port, prefect_server, running, wait_for

pytest.importorskip("psycopg2", reason="psycopg2 is not installed: pip install 'velatura[postgres]'")
pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed (Debian: postgresql)"),
    pytest.mark.skipif(
        not os.environ.get("VELATURA_TEST_POSTGRES"), reason="a minute of two servers: make test-postgres"
    ),
]


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The environment in which both are used."""
    with postgres() as place:
        monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", f"postgresql+asyncpg://{place}/prefect")
        port, log = free_port(), tmp_path / "mlflow.log"
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
        command += ["--workers", "1", "--backend-store-uri", f"postgresql://{place}/mlflow"]
        command += ["--artifacts-destination", str(tmp_path / "artifacts")]
        with prefect_server(tmp_path) as env, running(command, env, log, tmp_path) as process:
            wait_for(f"http://127.0.0.1:{port}/health", process, log, seconds=400)
            yield {**env, "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}


def test_a_run_is_told_to_both_servers_and_its_model_is_registered(servers: dict[str, str], tmp_path: Path) -> None:
    recipe = SMALL | {"pictures": {"kind": "folder", "path": str(six_pictures(tmp_path / "pictures"))}}
    path = tmp_path / "six.yaml"
    path.write_text(json.dumps(recipe))
    done = subprocess.run(
        [sys.executable, "-m", "flows.command_line", "run", str(path), "--json"],
        env=servers,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout[done.stdout.index("{") :])["version"] == "1", done.stdout
    body = json.dumps({"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}).encode()
    asked = urllib.request.Request(
        servers["PREFECT_API_URL"] + "/flow_runs/filter", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        assert [run["state_type"] for run in json.loads(answer.read())] == ["COMPLETED"]
