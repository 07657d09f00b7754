"""The whole way on a dozen small pictures, by the flow that `velatura run` calls."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from mlflow.entities import Run
from safetensors import safe_open

from core.errors import MissingBase, NotEnoughData, SourceError, StoreError, VelaturaError
from flows.comparing_runs import rows
from flows.dataset_to_model import dataset_to_model
from flows.home import Home
from flows.recipe import Recipe, check
from flows.store_source import StoreSource
from flows.summary import Outcome, in_words
from flows.tracking import Tracking
from flows.unchanged import unchanged
from store.store import Store
from tests.backbones.tiny import make_sd15, make_sdxl
from tests.flows.pictures import SMALL, six_pictures

pytestmark = pytest.mark.usefixtures("prefect_api")


def recipe_of(folder: Path, **changes: object) -> Recipe:
    """All of it by default, the metrics too."""
    pictures = {"kind": "folder", "path": str(folder / "pictures")}
    small = {key: value for key, value in SMALL.items() if key != "metrics"}
    return check(small | {"pictures": pictures, "home": str(folder / "data")} | changes, "test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole-way")
    six_pictures(folder / "pictures", 12)
    shutil.copyfile(folder / "pictures" / "shape-00.png", folder / "pictures" / "the-same-again.png")
    (folder / "pictures" / "broken.png").write_bytes((folder / "pictures" / "shape-01.png").read_bytes()[:200])
    (folder / "pictures" / "shape-02.txt").write_text("a drawing that a person described")
    return folder


@pytest.fixture(scope="module")
def outcome(folder: Path, prefect_api: None) -> Outcome:
    return dataset_to_model(recipe_of(folder))


def test_what_was_kept_and_refused_is_told(outcome: Outcome) -> None:
    assert outcome.fresh
    assert (outcome.prepared.ingested.found, outcome.prepared.curated.kept) == (14, 12)
    assert dict(outcome.prepared.curated.refused) == {"duplicate": 1, "truncated": 1}
    assert outcome.prepared.curated.held_out >= 3
    assert (outcome.prepared.captioned.by_person, outcome.prepared.captioned.made) == (1, 11)
    words = in_words(outcome)
    for part in ("14 found", "1 duplicate, 1 truncated", outcome.judgement.state, outcome.judgement.files["report"]):
        assert part in words


def test_the_weights_are_read_by_diffusers_in_both_layouts_and_draw_the_same_picture(outcome: Outcome) -> None:
    drawn = []
    for layout in ("weights", "diffusers"):
        base = outcome.job.recipe.family.path
        pipeline = StableDiffusionPipeline.from_pretrained(base, safety_checker=None)
        pipeline.set_progress_bar_config(disable=True)
        path = Path(outcome.judgement.files[layout])
        pipeline.load_lora_weights(path.parent, weight_name=path.name)
        assert pipeline.get_active_adapters()
        rng = torch.Generator().manual_seed(0)
        drawn.append(pipeline("a drawing", num_inference_steps=3, generator=rng, output_type="np").images)
    assert np.abs(drawn[0] - drawn[1]).max() <= 1 / 255


def test_the_weights_say_where_they_come_from(outcome: Outcome) -> None:
    with safe_open(outcome.judgement.files["weights"], "np") as file:
        said = file.metadata()
    assert said["velatura.manifest"] == outcome.job.snapshot.manifest
    assert said["velatura.verdict"] == outcome.judgement.state
    assert said["modelspec.title"] == said["ss_output_name"] == outcome.job.recipe.name
    assert said["ss_sd_model_name"] == outcome.job.recipe.base
    assert Recipe.model_validate(json.loads(said["velatura.recipe"])) == outcome.job.recipe


def test_mlflow_knows_parameters_dataset_figures_pictures_report_and_version(outcome: Outcome) -> None:
    tracking = Tracking(Home.of(outcome.job.recipe.home))
    run = tracking.client.get_run(outcome.judgement.run)
    assert run.info.status == "FINISHED"
    assert run.data.params["train.adapter.kind"] == "lora"
    assert run.data.tags["velatura.verdict"] == outcome.judgement.state
    (dataset,) = run.inputs.dataset_inputs
    source = StoreSource.from_json(dataset.dataset.source).to_dict()
    kept = [r for r in Store.open(source["uri"]).records(tag=source["tag"]) if r.verdict == "kept"]
    assert len(kept) == 12
    history = tracking.client.get_metric_history(run.info.run_id, "probe/learning")
    assert [metric.step for metric in history] == [0, 2, 4]
    assert history[0].value == 0
    paths = {file.path for file in tracking.client.list_artifacts(run.info.run_id)}
    assert {"report.html", "dataset.html", "dataset.md", "weights", "pictures", "images"} <= paths
    shown = {
        Path(file.path).name.partition("+timestamp")[0]
        for file in tracking.client.list_artifacts(run.info.run_id, "images")
    }
    assert {f"{key}+step+{step}" for key in ("samples", "samples~prompt0") for step in (0, 2, 4)} == shown
    assert run.data.metrics["verdict/best_strength"] == outcome.judgement.best_strength
    version = tracking.client.get_model_version("six", outcome.judgement.version)
    assert version.tags["velatura.dataset"] == outcome.job.snapshot.tag


def test_the_verdict_is_a_file_with_figures_and_intervals_here_and_in_mlflow(outcome: Outcome) -> None:
    said = json.loads((outcome.job.folder / "verdict.json").read_text())
    assert said["state"] == said["findings"][0]["state"] == outcome.judgement.state
    for figure in (figure for finding in said["findings"] for figure in finding["figures"]):
        assert figure.keys() == {"name", "value", "low", "high"}
    assert {"learning", "gap"} <= {figure["name"] for figure in said["findings"][0]["figures"]}
    tracking = Tracking(Home.of(outcome.job.recipe.home))
    assert (
        json.loads(Path(tracking.client.download_artifacts(outcome.judgement.run, "verdict.json")).read_text()) == said
    )
    assert "which_part (the text encoder was not trained)" in Path(outcome.judgement.files["report"]).read_text()


def test_every_stage_that_worked_is_a_run_below_it_with_its_own_times_and_counts(outcome: Outcome) -> None:
    found = {run.data.tags["velatura.stage"]: run for run in below(outcome)}
    assert list(found) == ["ingest", "curate", "caption", "train", "evaluate", "register"], "nothing was augmented"
    ends = [(run.info.start_time, run.info.end_time) for run in found.values()]
    assert all(began <= ended for began, ended in ends) and ends == sorted(ends)
    assert all(run.info.status == "FINISHED" and "seconds" in run.data.metrics for run in found.values())
    assert found["ingest"].data.metrics["read"] == 14
    assert found["curate"].data.metrics["kept"] == 12 and found["curate"].data.metrics["refused"] == 2
    assert found["curate"].data.metrics["refused/truncated"] == 1
    assert (found["caption"].data.metrics["made"], found["caption"].data.metrics["by_person"]) == (11, 1)
    assert found["train"].data.metrics["steps"] == 4
    assert found["evaluate"].data.tags["velatura.verdict"] == outcome.judgement.state
    assert found["register"].data.tags["velatura.version"] == outcome.judgement.version


def test_a_run_that_is_ended_when_all_but_its_last_word_is_told_has_each_stage_once(
    folder: Path, outcome: Outcome
) -> None:
    before = [run.info.run_id for run in below(outcome)]
    (outcome.job.folder / "verdict.json").unlink()  # killed before it was written down that the run is through
    again = dataset_to_model(recipe_of(folder))
    assert again.fresh and again.judgement.version == outcome.judgement.version
    assert [run.info.run_id for run in below(outcome)] == before
    train = next(run for run in below(outcome) if run.data.tags["velatura.stage"] == "train")
    assert 0 < train.info.end_time - train.info.start_time < 60_000, "what was trained before is not of now"
    assert [row.run for row in rows(Home.of(outcome.job.recipe.home), [])] == [outcome.judgement.run]


def below(outcome: Outcome) -> list[Run]:
    """The runs below the run, in the order in which they began."""
    tracking = Tracking(Home.of(outcome.job.recipe.home))
    which, order = f"tags.`mlflow.parentRunId` = '{outcome.judgement.run}'", ["attributes.start_time ASC"]
    return list(tracking.client.search_runs([tracking.experiment], which, order_by=order))


def test_the_report_stands_on_its_own(outcome: Outcome) -> None:
    text = Path(outcome.judgement.files["report"]).read_text()
    assert "data:image/png;base64," in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "truncated" in text


def test_a_run_that_has_nothing_to_do_is_told_the_same_without_a_flow(folder: Path, outcome: Outcome) -> None:
    told = unchanged(recipe_of(folder))
    assert told is not None
    assert (told.judgement, told.job.snapshot, told.fresh) == (outcome.judgement, outcome.job.snapshot, False)
    assert (told.prepared.ingested.found, told.prepared.ingested.read, told.prepared.captioned.made) == (14, 0, 0)
    assert unchanged(recipe_of(folder, train={"steps": 5, "batch_size": 2})) is None  # never trained


def test_nothing_is_computed_twice(folder: Path, outcome: Outcome) -> None:
    before = {path: path.stat().st_mtime_ns for path in outcome.job.folder.rglob("*") if path.is_file()}
    again = dataset_to_model(recipe_of(folder))
    assert not again.fresh
    assert (again.prepared.ingested.read, again.prepared.captioned.made, again.prepared.augmented.made) == (0, 0, 0)
    assert again.job.snapshot == outcome.job.snapshot
    after = {path: path.stat().st_mtime_ns for path in outcome.job.folder.rglob("*") if path.is_file()}
    lock = outcome.job.folder / ".lock"
    assert after | {lock: 0} == before | {lock: 0}
    assert "nothing was computed again" in in_words(again)


def test_one_picture_more_is_the_only_one_worked_on_and_then_a_new_run(folder: Path, outcome: Outcome) -> None:
    copy = folder.parent / "one-more"
    shutil.copytree(folder, copy)
    six_pictures(copy / "new", 13)
    (copy / "new" / "shape-12.png").rename(copy / "pictures" / "one-more.png")
    for path in (folder / "pictures").iterdir():  # same sizes and times, as in the folder it was copied from
        shutil.copystat(path, copy / "pictures" / path.name)
    more = dataset_to_model(recipe_of(copy))
    assert more.fresh
    assert more.prepared.captioned.made == 1
    assert more.prepared.curated.kept == 13
    assert more.job.snapshot.manifest != outcome.job.snapshot.manifest
    assert more.judgement.version == "2"


def test_a_named_snapshot_is_trained_on_as_it_is_whatever_became_of_the_dataset_and_of_its_source(
    folder: Path, outcome: Outcome, tmp_path: Path
) -> None:
    shutil.copytree(folder / "data", tmp_path / "data")
    store = Store.open(Home(tmp_path / "data").store("six"))
    store.name(outcome.job.snapshot.tag, "good")
    store.put_records(replace(record, verdict="removed") for record in store.records()[:5])
    assert store.snapshot().manifest != outcome.job.snapshot.manifest
    pinned = dataset_to_model(recipe_of(tmp_path, snapshot="good"))
    assert (pinned.prepared, pinned.fresh) == (None, False), "this data and recipe are trained already"
    assert (pinned.job.snapshot.tag, pinned.job.key) == (outcome.job.snapshot.tag, outcome.job.key)
    assert "those of the snapshot good, as they are there: 12" in in_words(pinned)
    assert "found" not in pinned.as_json()
    with pytest.raises(StoreError, match="no snapshot 'godo'; the newest are: .*names: good"):
        dataset_to_model(recipe_of(tmp_path, snapshot="godo"))
    with pytest.raises(StoreError, match="no dataset 'sixx'; did you mean six"):
        dataset_to_model(recipe_of(tmp_path, snapshot="good", dataset="sixx"))


@pytest.mark.parametrize("make", [make_sd15, make_sdxl])
def test_models_of_other_layouts_go_the_same_way(make: Callable[[Path], Path], tmp_path: Path) -> None:
    six_pictures(tmp_path / "pictures", 6)
    base = make(tmp_path / "base")
    done = dataset_to_model(recipe_of(tmp_path, base=str(base), train={"steps": 2, "batch_size": 2, "probe_every": 1}))
    assert done.fresh
    assert done.job.recipe.base == str(base)
    assert Path(done.judgement.files["weights"]).stat().st_size > 10_000


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"pictures": {"kind": "folder", "path": "/nowhere/at/all"}}, SourceError, "/nowhere/at/all"),
        ({"base": "/no/such/base"}, MissingBase, "/no/such/base"),
    ],
)
def test_what_is_not_there_is_told_before_anything_is_made(
    tmp_path: Path, changes: dict[str, object], error: type[VelaturaError], words: str
) -> None:
    six_pictures(tmp_path / "pictures")
    with pytest.raises(error, match=words):
        dataset_to_model(recipe_of(tmp_path, **changes))
    assert not (tmp_path / "data" / "runs").exists()


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    with pytest.raises(SourceError, match="pictures"):
        dataset_to_model(recipe_of(tmp_path))


def test_a_folder_of_broken_files_is_told_with_the_reasons(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        (tmp_path / "pictures" / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes([number]) * 50)
    (tmp_path / "pictures" / "empty.jpg").touch()
    with pytest.raises(NotEnoughData, match=r"can be used: 1 empty, 3 "):
        dataset_to_model(recipe_of(tmp_path))
