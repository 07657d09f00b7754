"""Which runs were trained on which data, as MLflow tells it."""

from pathlib import Path

import pytest

from flows.home import Home
from flows.tracking import Tracking
from flows.usage import Use, uses


def test_a_home_without_mlflow_is_not_given_one_by_asking(tmp_path: Path) -> None:
    assert uses(Home(tmp_path)) == {}
    assert not list(tmp_path.iterdir())


def test_runs_and_models_are_told_by_the_data_they_saw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    tracking = Tracking(home)
    first = tracking.begin("k1", "run-1", {"velatura.manifest": "m1", "velatura.verdict": "healthy"}, {})
    tracking.register("mine", first, "weights", {})
    tracking.begin("k2", "run-2", {"velatura.manifest": "m1"}, {})
    tracking.begin("k3", "run-3", {"velatura.manifest": "m2"}, {})
    tracking.begin("k4", "run-1: train", {"velatura.manifest": "m1", "mlflow.parentRunId": first}, {})
    assert uses(home) == {
        "m1": [Use("run-1", "healthy", "mine v1"), Use("run-2", "", "")],
        "m2": [Use("run-3", "", "")],
    }
    assert [one.words for one in uses(home)["m1"]] == ["mine v1, healthy", "run-2, not judged (yet)"]

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # where nobody listens
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert uses(home) == {}
