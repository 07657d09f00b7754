"""The processes of `velatura up`: what each is started with, and how one tells that it is well."""

from __future__ import annotations

import http.client
import os
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.devices import gpus
from flows.home import Home

ROOT = Path(__file__).parents[1]
POOLS = {"velatura-cpu": 2, "velatura-gpu": max(1, len(gpus()))}
"""pools by name, and how many runs each begins at a time, over all of its workers: as many as there are GPUs here"""
ZOMBIES = "velatura: a run without a sign of life is dead"
"""Prefect's automation"""
HEARTBEAT = 30
"""seconds between two signs of life of a flow run"""
MISSED = 6
"""signs of life after which a run is dead; fewer would call one so on a machine that is merely very busy"""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the two servers listen, on this machine only."""

    mlflow: int = 5000
    prefect: int = 4200

    @property
    def tracking(self) -> str:
        """MLflow's address."""
        return f"http://127.0.0.1:{self.mlflow}"

    @property
    def dashboard(self) -> str:
        """Prefect's address."""
        return f"http://127.0.0.1:{self.prefect}"


@dataclass(frozen=True, slots=True)
class Station:
    """One process that is kept running."""

    name: str
    command: tuple[str, ...]
    health: str = ""
    """an address that answers when it is well; empty: it is well while it lives"""


def servers(home: Home, ports: Ports) -> list[Station]:
    """MLflow and Prefect."""
    python = sys.executable
    local = f"sqlite:///{home.root / 'mlflow.db'}"
    mlflow = [python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(ports.mlflow), "--workers", "1"]
    mlflow += ["--backend-store-uri", local, "--default-artifact-root", home.artifacts.as_uri()]
    prefect = [python, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(ports.prefect)]
    return [
        Station("mlflow", tuple(mlflow), f"{ports.tracking}/health"),
        Station("prefect", tuple(prefect), f"{ports.dashboard}/api/health"),
    ]


def workers() -> list[Station]:
    """One for each pool, which takes as many runs at a time as the pool begins: training has one GPU or all cores."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--type", "process", "--pool"]
    return [
        Station(f"worker {pool}", (*command, pool, "--limit", str(most), "--name", f"{pool}-{os.uname().nodename}"))
        for pool, most in POOLS.items()
    ]


def watchers(recipe: Path | None) -> list[Station]:
    """One for the source of a recipe, where that is a folder that tells of changes; its schedule looks in any case."""
    if recipe is None:
        return []
    from flows.noticing import telling
    from flows.recipe import read_recipe

    if telling(read_recipe(recipe).pictures) is None:
        return []
    return [Station("watcher", (sys.executable, "-m", "flows.watcher", str(recipe.absolute())))]


def environment(home: Home, ports: Ports) -> dict[str, str]:
    """What every process here is told: where things are, and to be quiet."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    mine: Mapping[str, str] = {
        "PREFECT_HOME": str(home.root / "prefect"),
        "PREFECT_API_URL": f"{ports.dashboard}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT),
        "PREFECT_WORKER_QUERY_SECONDS": os.environ.get("PREFECT_WORKER_QUERY_SECONDS", "2"),
        "MLFLOW_TRACKING_URI": ports.tracking,
        "VELATURA_HOME": str(ROOT),
        "VELATURA_DATA": str(home.root),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }
    return {**os.environ, **mine}


def answers(address: str, seconds: float = 2) -> bool:
    """Whether an address answers well."""
    try:
        with urllib.request.urlopen(address, timeout=seconds) as answer:
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException):
        return False
