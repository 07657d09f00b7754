"""The page of MLflow to open first: the newest runs beside each other."""

from __future__ import annotations

import urllib.error
from typing import Any

from flows import mlflow_pages
from flows.asking import ask
from flows.tracking import ALONE, EXPERIMENT, KIND, NEWEST, RUNS, TRAINING

API = "api/2.0/mlflow"


def front_page(address: str) -> str:
    """Where the newest runs are compared; the table of runs where there are no two yet. OSError: nobody answers."""
    experiment = _experiment(address)
    asked = {
        "experiment_ids": [experiment],
        "filter": f"{RUNS} and {ALONE}",
        "max_results": NEWEST,
        "order_by": ["attributes.start_time DESC"],
    }
    runs: list[dict[str, Any]] = ask(f"{address}/{API}/runs/search", asked).get("runs", [])
    if len(runs) < 2:
        return mlflow_pages.runs(address, experiment)
    return mlflow_pages.compared(address, experiment, [run["info"]["run_id"] for run in runs])


def _experiment(address: str) -> str:
    """The id of the experiment that all runs are in, which the first of them would make otherwise."""
    try:
        found = ask(f"{address}/{API}/experiments/get-by-name?experiment_name={EXPERIMENT}")
        return str(found["experiment"]["experiment_id"])
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
    asked = {"name": EXPERIMENT, "tags": [{"key": KIND, "value": TRAINING}]}
    return str(ask(f"{address}/{API}/experiments/create", asked)["experiment_id"])
