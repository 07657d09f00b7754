"""`velatura remedy` and `velatura ladder` on one small run, as they are typed."""

import json
from pathlib import Path

import pytest
import yaml

from flows.dataset_to_model import dataset_to_model
from flows.home import Home
from flows.recipe import Recipe
from flows.summary import Outcome
from flows.tracking import Tracking
from tests.backbones.tiny import make_sd15
from tests.flows.pictures import short_recipe, six_pictures
from tests.flows.test_evaluate import typed

pytestmark = pytest.mark.usefixtures("prefect_api")


def recipe_of(folder: Path, **changes: object) -> Recipe:
    return short_recipe(folder, str(folder / "base"), **changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    six_pictures(folder / "pictures", 12)
    make_sd15(folder / "base", layers=1)  # a tiny one: what it answers is all the same here
    return folder


@pytest.fixture(scope="module")
def outcome(folder: Path, prefect_api: None) -> Outcome:
    return dataset_to_model(recipe_of(folder))


def test_a_dataset_of_ours_brings_its_own_held_out_pictures(folder: Path, outcome: Outcome) -> None:
    words = ["evaluate", "--adapter", outcome.judgement.files["weights"], "--data", "six", "--measures", "probe"]
    said = typed(*words, "--base", str(folder / "base"), "--home", str(folder / "data"))
    assert said["held_out"] == outcome.job.snapshot.held_out
    for name in ("probe/learning", "probe/gap"):
        assert said["figures"][name] == pytest.approx(outcome.judgement.figures[name], abs=1e-5)  # type: ignore[index]


def test_remedies_are_measured_logged_below_the_run_and_shown(folder: Path, outcome: Outcome) -> None:
    home = str(folder / "data")
    said = typed("remedy", "six", "--no-draw", "--home", home)
    tried = said["tried"]
    assert isinstance(tried, list)
    assert {one["remedy"] for one in tried} == {"", "weaken", "stop_earlier", "merge"}
    assert all("probe/learning" in one["figures"] for one in tried)
    tracking = Tracking(Home.of(home))
    below = f"tags.`mlflow.parentRunId` = '{outcome.judgement.run}' and tags.`velatura.remedy` LIKE '%'"
    children = tracking.client.search_runs([tracking.experiment], below)
    assert len(children) == len(tried) - 1
    assert {run.data.tags["velatura.remedy"] for run in children} == {"weaken", "stop_earlier", "merge"}
    again = Recipe.model_validate(yaml.safe_load((outcome.job.folder / "remedies" / "recipe.yaml").read_text()))
    assert again.snapshot == outcome.job.snapshot.tag


def test_a_rung_is_a_child_of_the_ladder_and_a_page_shows_it(folder: Path, outcome: Outcome) -> None:
    (folder / "recipe.yaml").write_text(json.dumps(outcome.job.recipe.model_dump(mode="json")))
    said = typed("ladder", str(folder / "recipe.yaml"), "--rates", "1e-4", f"snapshot={outcome.job.snapshot.tag}")
    assert said["learning_rate"] == 1e-4 and Path(str(said["chart"])).read_text().count("<svg") == 2
    tracking = Tracking(Home.of(str(folder / "data")))
    (child,) = tracking.client.search_runs([tracking.experiment], f"tags.`mlflow.parentRunId` = '{said['run']}'")
    assert child.data.params["train.optimizer.learning_rate"] == "0.0001"
