"""`velatura remedy` and `velatura ladder` on one small run, as they are typed."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from mlflow.exceptions import MlflowException

from core.errors import TrackingError
from flows.dataset_to_model import dataset_to_model
from flows.home import Home
from flows.ladder import climb
from flows.learning_rate_ladder import learning_rate_ladder
from flows.recipe import Recipe
from flows.spool import Figure
from flows.summary import Outcome
from flows.tracking import Tracking
from tests.flows.pictures import short_recipe, six_pictures
from tests.flows.test_evaluate import typed

pytestmark = pytest.mark.usefixtures("prefect_api")


PROMPTS = ["a photo of a dog", "a cat", "a house", "a tree", "a car", "a boat"]


def recipe_of(folder: Path, **changes: object) -> Recipe:
    """Six steps at far too high a rate: it forgets."""
    train = {"steps": 6, "batch_size": 2, "checkpoint_every": 3, "probe_every": 3, "optimizer": FAR_TOO_FAST}
    samples = {"steps": 2, "count": 2, "previews": 1, "prior": PROMPTS, "memorisation": 2}
    return short_recipe(folder, "pocket", train=train, samples=samples, **changes)


FAR_TOO_FAST = {"kind": "adamw", "learning_rate": 0.03}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    six_pictures(folder / "pictures", 12)
    return folder


@pytest.fixture(scope="module")
def outcome(folder: Path, prefect_api: None) -> Outcome:
    return dataset_to_model(recipe_of(folder))


def test_a_dataset_of_ours_brings_its_own_held_out_pictures(folder: Path, outcome: Outcome) -> None:
    words = ["evaluate", "--adapter", outcome.judgement.files["weights"], "--data", "six", "--measures", "probe"]
    said = typed(*words, "--home", str(folder / "data"))
    assert said["held_out"] == outcome.job.snapshot.held_out
    for name in ("probe/learning", "probe/gap"):
        assert said["figures"][name] == pytest.approx(outcome.judgement.figures[name], abs=1e-5)  # type: ignore[index]


def test_remedies_are_measured_logged_below_the_run_and_shown(folder: Path, outcome: Outcome) -> None:
    home = str(folder / "data")
    said = typed("remedy", "six", "--no-draw", "--home", home)
    tried = said["tried"]
    assert isinstance(tried, list)
    assert tried[0]["verdict"] == outcome.judgement.last_state, "as the run was judged"
    assert {one["remedy"] for one in tried} == {"", "weaken", "stop_earlier", "merge"}
    assert all("probe/learning" in one["figures"] for one in tried)
    tracking = Tracking(Home.of(home))
    below = f"tags.`mlflow.parentRunId` = '{outcome.judgement.run}' and tags.`velatura.remedy` LIKE '%'"
    children = tracking.client.search_runs([tracking.experiment], below)
    assert len(children) == len(tried) - 1
    assert {run.data.tags["velatura.remedy"] for run in children} == {"weaken", "stop_earlier", "merge"}
    for run in children:
        assert run.data.tags["velatura.learning"] == f"{run.data.metrics['verdict/learning']:.3f}"
        assert {"velatura.verdict", "velatura.gap", "velatura.drift"} <= set(run.data.tags)
    again = Recipe.model_validate(yaml.safe_load((outcome.job.folder / "remedies" / "recipe.yaml").read_text()))
    assert again.snapshot == outcome.job.snapshot.tag
    files = {file.path for file in tracking.client.list_artifacts(outcome.judgement.run, "remedies")}
    assert files == {"remedies/remedies.html", "remedies/remedies.json"}  # nothing was drawn


def test_a_run_that_has_drifted_is_trained_again_with_prior_preservation_and_compared(
    folder: Path, outcome: Outcome
) -> None:
    assert outcome.judgement.last_state == "drifted"
    home, words = str(folder / "data"), ("remedy", "six", "--no-draw", "--train", "prior_preservation")
    said = typed(*words, "--home", home)
    as_it_is, *_, trained = said["tried"]  # type: ignore[misc]
    assert trained["remedy"] == "prior_preservation"
    drift = "prior_drift/relative"
    assert trained["figures"][drift] < as_it_is["figures"][drift]
    assert as_it_is["figures"][drift] != pytest.approx(outcome.judgement.last_figures[drift], rel=1e-3)  # of 4 prompts
    assert "4 of 6 ordinary prompts" in str(said["notes"])
    assert Path(trained["weights"]).name == "six-prior_preservation.safetensors"
    tracking = Tracking(Home.of(home))
    child = tracking.client.get_run(trained["run"])
    assert child.data.tags["mlflow.parentRunId"] == outcome.judgement.run
    assert child.data.tags["velatura.remedy"] == "prior_preservation" and child.info.status == "FINISHED"
    assert child.data.metrics["verdict/drift"] == pytest.approx(trained["figures"][drift], abs=1e-6)
    assert [(one.name, one.version) for one in tracking.client.search_model_versions()] == [("six", 1)]
    (weights,) = (folder / "data" / "runs").glob("six-prior_preservation-*/training/weights/step-00000006/kohya*")
    before = weights.stat().st_mtime_ns
    assert typed(*words, "--home", home)["tried"] == said["tried"] and weights.stat().st_mtime_ns == before


def test_rungs_are_children_of_a_ladder_whose_page_mlflow_has_whatever_it_refused_before(
    folder: Path, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "recipe.yaml").write_text(json.dumps(outcome.job.recipe.model_dump(mode="json")))
    words = [str(folder / "recipe.yaml"), "--rates", "1e-5,1e-4", f"snapshot={outcome.job.snapshot.tag}"]
    recipe = recipe_of(folder, snapshot=outcome.job.snapshot.tag)
    tracking = Tracking(Home.of(recipe.home))
    log_figures = Tracking.log_figures

    def refuses(self: Tracking, run: str, figures: Iterable[Figure]) -> None:
        said = list(figures)
        if any(figure.key == "ladder/learning" for figure in said):
            raise MlflowException("the database is locked")
        log_figures(self, run, said)

    with monkeypatch.context() as refusing, pytest.raises(TrackingError, match="refuses: the database is locked"):
        refusing.setattr(Tracking, "log_figures", refuses)
        learning_rate_ladder(recipe, (1e-5, 1e-4))
    (parent,) = [run for run in tracking.client.search_runs([tracking.experiment]) if "-ladder-" in run.info.run_name]
    assert parent.info.status == "FAILED"
    said = typed("ladder", *words)
    page = Path(str(said["chart"]))
    assert page.read_text().count("<svg") == 2
    assert said["run"] == parent.info.run_id and tracking.client.get_run(said["run"]).info.status == "FINISHED"
    got = tracking.client.download_artifacts(said["run"], page.name)
    assert Path(got).read_bytes() == page.read_bytes()
    children = tracking.client.search_runs([tracking.experiment], f"tags.`mlflow.parentRunId` = '{said['run']}'")
    rates = {float(child.data.params["train.optimizer.learning_rate"]) for child in children}
    assert rates == {rung["learning_rate"] for rung in said["rungs"]}  # type: ignore[attr-defined]


def test_a_rung_that_ran_away_is_an_answer_and_not_trained_again(
    folder: Path, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = outcome.job.recipe.model_copy(update={"snapshot": outcome.job.snapshot.tag})
    found = climb(recipe, rates=[1e-4, 9e5])
    assert [rung.probe is None for rung in found.rungs] == [False, True] and found.best.rate == 1e-4

    def started(*_args: object, **_more: object) -> None:
        raise AssertionError("a trainer was started")

    monkeypatch.setattr("flows.stages.subprocess.Popen", started)
    assert climb(recipe, rates=[1e-4, 9e5]).best.rate == found.best.rate
