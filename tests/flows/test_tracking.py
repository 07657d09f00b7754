from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from core.snapshot import Snapshot
from flows.following import Following, pause
from flows.home import Home
from flows.job import Job
from flows.picture_series import PictureSeries
from flows.recipe import check
from flows.spool import Outbox, Spool
from flows.store_source import StoreSource
from flows.tracking import Tracking
from tests.flows.pictures import SMALL

SNAPSHOT = Snapshot(store="/somewhere/store", tag="data-0003", count=12, held_out=3, manifest="ab" * 32)


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    return Tracking(Home(tmp_path_factory.mktemp("home")))


def begun(tracking: Tracking, key: str) -> str:
    return tracking.begin(key, f"run-{key}", {"velatura.base": "pocket"}, {"train.steps": "3", "name": "mine"})


def test_mlflow_shows_its_pages_for_models_unless_the_user_chose_others(tracking: Tracking) -> None:
    def kind() -> str | None:
        tags: dict[str, str] = tracking.client.get_experiment(tracking.experiment).tags
        return tags.get("mlflow.experimentKind")

    assert kind() == "custom_model_development"
    tracking.client.delete_experiment_tag(tracking.experiment, "mlflow.experimentKind")  # as before there was one
    assert Tracking(tracking.home).experiment == tracking.experiment
    assert kind() == "custom_model_development"
    tracking.client.set_experiment_tag(tracking.experiment, "mlflow.experimentKind", "genai_development")
    assert Tracking(tracking.home).experiment == tracking.experiment
    assert kind() == "genai_development"


def test_an_interrupted_run_goes_on_as_the_same_run(tracking: Tracking) -> None:
    first = begun(tracking, "k1")
    tracking.end(first, "FAILED")
    assert begun(tracking, "k1") == first
    assert tracking.client.get_run(first).info.status == "RUNNING"
    assert begun(tracking, "k2") != first


def test_the_dataset_is_an_input_with_source_version_and_manifest(tracking: Tracking) -> None:
    run = begun(tracking, "k3")
    tracking.log_snapshot(run, SNAPSHOT)
    (logged,) = tracking.client.get_run(run).inputs.dataset_inputs
    assert logged.dataset.name == "data-0003"
    assert StoreSource.from_json(logged.dataset.source).to_dict() == {"uri": "/somewhere/store", "tag": "data-0003"}
    assert {tag.key: tag.value for tag in logged.tags}["velatura.manifest"] == SNAPSHOT.manifest


def test_every_figure_of_the_spool_arrives_once(tracking: Tracking, tmp_path: Path) -> None:
    run = begun(tracking, "k4")
    spool = tmp_path / "metrics.jsonl"
    for step in range(30):
        Spool(spool).write(step, {"loss": 1 / (step + 1), "probe/gap": step / 100})
    assert tracking.drain(run, Outbox(spool)) == 60
    assert tracking.drain(run, Outbox(spool)) == 0
    Spool(spool, from_step=20).write(21, {"loss": 1 / 22})
    tracking.drain(run, Outbox(spool))
    assert [(m.step, m.value) for m in tracking.client.get_metric_history(run, "loss")] == [
        (s, 1 / (s + 1)) for s in range(30)
    ]


def test_a_server_that_is_down_loses_no_figure(
    tracking: Tracking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(tracking, "k5")
    spool = tmp_path / "metrics.jsonl"
    Spool(spool).write(1, {"loss": 0.5})
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # nobody listens on the discard port
    away = Tracking(Home(tmp_path))
    outbox = Outbox(spool)
    assert away.drain(run, outbox) == 0
    monkeypatch.undo()
    assert tracking.drain(run, outbox) == 1


def test_what_could_not_be_sent_while_it_trained_is_sent_at_the_end(
    tracking: Tracking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = {"kind": "folder", "path": str(tmp_path)}
    job = Job(tmp_path / "run", "k9", check(SMALL | {"pictures": pictures}, "test"), SNAPSHOT)
    run = begun(tracking, "k9")
    following = Following(job, tracking, run)
    for step in range(1, 5):
        Spool(job.spool).write(step, {"loss": 1 / step})
    with monkeypatch.context() as away:
        away.setattr("flows.tracking.is_reachable", lambda _: False)
        following.look()
    assert tracking.client.get_metric_history(run, "loss") == []
    there = iter([False, False, True])
    monkeypatch.setattr("flows.reaching.is_reachable", lambda _: next(there))
    monkeypatch.setattr("flows.reaching.EVERY", 0)
    following.to_the_end()
    assert [metric.step for metric in tracking.client.get_metric_history(run, "loss")] == [1, 2, 3, 4]


def test_a_run_is_registered_once_with_its_data_tag(tracking: Tracking, tmp_path: Path) -> None:
    run = begun(tracking, "k6")
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes(b"weights")
    tracking.log_file(run, weights, "weights")
    version = tracking.register("mine", run, "weights", {"velatura.dataset": "data-0003"})
    assert tracking.register("mine", run, "weights", {"velatura.dataset": "data-0003"}) == version
    assert tracking.client.get_model_version("mine", version).tags["velatura.dataset"] == "data-0003"
    other = begun(tracking, "k7")
    assert tracking.register("mine", other, "weights", {}) != version


def test_pictures_are_a_series_over_the_steps(tracking: Tracking) -> None:
    run = begun(tracking, "k8")
    for step in (0, 10):
        tracking.log_picture(run, "samples", step, np.full((8, 8, 3), step, dtype=np.uint8))
    names = [file.path for file in tracking.client.list_artifacts(run, "images")]
    assert sum(name.endswith(".png") for name in names) == 2


def test_what_is_drawn_at_a_step_is_shown_while_training_goes_on_and_once(
    tracking: Tracking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(
        tmp_path / "run",
        "k10",
        check(SMALL | {"pictures": {"kind": "folder", "path": str(tmp_path)}}, "test"),
        SNAPSHOT,
    )
    run = begun(tracking, "k10")

    def look(step: int) -> None:
        job.step_folder(step).mkdir(parents=True)
        for name in ("sample-0.png", "sample-1.png", "samples.png"):
            PIL.Image.new("RGB", (8, 8), (step, 0, 0)).save(job.step_folder(step) / name)
        job.mark(step).touch()

    def shown() -> list[str]:
        names = [Path(file.path).name for file in tracking.client.list_artifacts(run, "images")]
        return sorted(name.partition("+timestamp")[0] for name in names if name.endswith(".png"))

    look(0)
    following = Following(job, tracking, run)
    with monkeypatch.context() as away:
        away.setattr("flows.following.is_reachable", lambda _: False)
        following.look()
    assert shown() == []
    monkeypatch.setattr("flows.following.EVERY", 0)
    Following(job, tracking, run).look()
    first = ["samples+step+0", "samples~prompt0+step+0", "samples~prompt1+step+0"]
    assert shown() == first
    look(10)
    Following(job, tracking, run).look()  # as after a kill: what is there is asked for
    PictureSeries(job, tracking, run).send()  # and at the end
    assert shown() == sorted([*first, *(name.replace("+0", "+10") for name in first)])


def test_a_long_training_is_told_of_more_seldom() -> None:
    assert [pause(age) for age in (0, 30, 60, 120, 180, 9000)] == [5, 5, 5, 10, 15, 15]
