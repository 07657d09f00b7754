"""Which runs and models were trained on which data, as far as MLflow knows; it is asked, never written to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flows.home import Home

TOLD = {"mlflow.parentRunId", "velatura.fold"}
"""tags of stages, rungs, parts and remedies: the run above them is told"""


@dataclass(frozen=True, slots=True)
class Use:
    """One run that was trained on a state of a dataset."""

    run: str
    """its name"""
    verdict: str
    """empty until it is judged"""
    model: str
    """such as ``openmoji v3``; empty where it is not registered"""

    @property
    def words(self) -> str:
        """For people."""
        return ", ".join(part for part in (self.model or self.run, self.verdict or "not judged (yet)") if part)


def uses(home: Home) -> dict[str, list[Use]]:
    """Manifest -> the runs that were trained on it, oldest first; empty where there is no MLflow or none answers."""
    place = home.tracking
    if place.startswith("sqlite:///") and not Path(place.removeprefix("sqlite:///")).exists():
        return {}
    from mlflow.exceptions import MlflowException

    try:
        return _asked(home)
    except (MlflowException, OSError):
        return {}


def _asked(home: Home) -> dict[str, list[Use]]:
    from flows.tracking import EXPERIMENT, Tracking

    client = Tracking(home).client
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        return {}
    models = {version.run_id: f"{version.name} v{version.version}" for version in client.search_model_versions()}
    found: dict[str, list[Use]] = {}
    page = ""
    while True:
        runs = client.search_runs(
            [experiment.experiment_id], order_by=["attributes.start_time ASC"], page_token=page or None
        )
        for run in runs:
            tags = run.data.tags
            if not TOLD.isdisjoint(tags):
                continue
            one = Use(run.info.run_name, tags.get("velatura.verdict", ""), models.get(run.info.run_id, ""))
            found.setdefault(tags.get("velatura.manifest", ""), []).append(one)
        page = runs.token or ""
        if not page:
            return found
