"""Addresses of MLflow's pages. Each asks for the side bar of models, where MLflow would show that of chats."""

import json
from collections.abc import Sequence
from urllib.parse import quote

MODELS = "workflowType=machine_learning"


def experiments(address: str) -> str:
    """All experiments."""
    return f"{address}/#/experiments?{MODELS}"


def runs(address: str, experiment: str) -> str:
    """The table of an experiment's runs."""
    return f"{address}/#/experiments/{experiment}/runs?{MODELS}"


def charts(address: str, experiment: str) -> str:
    """The curves of an experiment's runs in one page."""
    return f"{runs(address, experiment)}&compareRunsMode=CHART"


def run(address: str, experiment: str, id_: str) -> str:
    """One run."""
    return f"{address}/#/experiments/{experiment}/runs/{id_}?{MODELS}"


def compared(address: str, experiment: str, ids: Sequence[str]) -> str:
    """Runs beside each other."""
    asked, ours = (quote(json.dumps(value, separators=(",", ":"))) for value in (list(ids), [experiment]))
    return f"{address}/#/compare-runs?runs={asked}&experiments={ours}&{MODELS}"


def models(address: str) -> str:
    """All registered models."""
    return f"{address}/#/models?{MODELS}"
