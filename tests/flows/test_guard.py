"""The guard on a real store and a real MLflow; what it decides by is in test_deciding."""

from dataclasses import replace
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from core.caption import Caption
from core.errors import TrackingError, TrainingFailed
from core.snapshot import Snapshot
from curation.curate import curate, ingest
from flows import stages
from flows.decide_and_train import CRASHES, decide_and_train
from flows.guard import change_between, decide_for
from flows.home import Home
from flows.recipe import Recipe, check
from flows.registry import CHAMPION, Registry
from flows.tracking import SPEC, Tracking
from store.store import Store
from tests.flows.pictures import SMALL, six_pictures


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    folder = tmp_path_factory.mktemp("guard")
    six_pictures(folder / "pictures", 6)
    pictures = {"kind": "folder", "path": str(folder / "pictures")}
    return check(SMALL | {"pictures": pictures, "home": str(folder / "data")}, "test")


@pytest.fixture(scope="module")
def versions(recipe: Recipe) -> tuple[Store, Snapshot, Snapshot]:
    """Six pictures; then one renamed, one described anew, one refused, two more."""
    store = Store.open(Home.of(recipe.home).store(recipe.name))
    folder = Path(recipe.pictures.dump()["path"])

    def read() -> Snapshot:
        ingest(store, recipe.pictures, recipe.filters)
        curate(store, recipe.filters, recipe.split)
        return store.snapshot()

    before = read()
    six_pictures(folder, 8)
    (folder / "shape-00.png").rename(folder / "renamed.png")
    (folder / "shape-01.png").unlink()
    read()
    record = next(r for r in store.records() if r.name == "shape-02.png")
    store.put_captions([Caption(record.id, user="something else")])
    return store, before, store.snapshot()


def finished_run(recipe: Recipe, snapshot: Snapshot, **tags: str) -> str:
    tracking = Tracking(Home.of(recipe.home))
    key = recipe.model_key(snapshot.manifest)
    said = {SPEC: recipe.model_key(""), "velatura.manifest": snapshot.manifest, "velatura.dataset": snapshot.tag}
    return tracking.begin(key, f"six-{key}", said | tags, {})


def test_what_changed_is_counted_by_content_and_a_new_name_is_no_change(
    recipe: Recipe, versions: tuple[Store, Snapshot, Snapshot]
) -> None:
    store, before, after = versions
    found = change_between(recipe, store, before, after)
    assert (found.new_groups, found.captions_edited, found.drift) == (2, 1, None)
    assert found.changed == pytest.approx(3 / 6)  # two came, one went


def test_drift_is_measured_where_the_policy_asks_for_it(
    recipe: Recipe, versions: tuple[Store, Snapshot, Snapshot]
) -> None:
    store, before, after = versions
    asked = recipe.model_copy(update={"retrain": recipe.retrain.model_copy(update={"drift": 0.01})})
    drift = change_between(asked, store, before, after).drift
    assert drift is not None
    assert 0.001 < drift < 1
    assert change_between(asked, store, after, after).drift == pytest.approx(0, abs=1e-9)


def test_only_a_finished_run_of_the_same_recipe_counts(
    recipe: Recipe, versions: tuple[Store, Snapshot, Snapshot]
) -> None:
    store, before, after = versions
    assert "nothing has been trained" in decide_for(recipe, store, after).reason
    run = finished_run(recipe, before)
    assert "nothing has been trained" in decide_for(recipe, store, after).reason  # it is still running
    tracking = Tracking(Home.of(recipe.home))
    tracking.end(run)
    assert not decide_for(recipe, store, before).train
    found = decide_for(recipe, store, after)
    assert found.train
    assert "50% of the pictures changed" in found.reason
    assert "data-0001" in found.reason
    other = recipe.model_copy(update={"train": recipe.train.model_copy(update={"seed": 7})})
    assert "nothing has been trained" in decide_for(other, store, before).reason


def test_a_version_that_the_store_no_longer_has_is_no_base_to_compare_with(
    recipe: Recipe, versions: tuple[Store, Snapshot, Snapshot]
) -> None:
    store, before, after = versions
    other = recipe.model_copy(update={"train": recipe.train.model_copy(update={"seed": 8})})
    Tracking(Home.of(recipe.home)).end(finished_run(other, replace(before, manifest="0" * 64)))
    found = decide_for(other, store, after)
    assert found.train
    assert "no longer has" in found.reason


def test_a_tracking_server_that_does_not_answer_is_told(
    recipe: Recipe, versions: tuple[Store, Snapshot, Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(TrackingError, match="does not say what was trained"):
        decide_for(recipe, versions[0], versions[2])


def test_what_was_ended_by_force_again_and_again_is_not_begun_once_more(recipe: Recipe) -> None:
    with pytest.raises(TrainingFailed, match="4 times in a row"):
        decide_and_train.fn(recipe, crashes=CRASHES + 1)


class Killed(BaseException):
    """As if the process ended here."""


@pytest.mark.usefixtures("prefect_api")
def test_a_promotion_that_a_killed_process_owed_is_made_by_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = {"kind": "folder", "path": str(six_pictures(tmp_path / "pictures"))}
    recipe = check(SMALL | {"pictures": pictures, "home": str(tmp_path / "data")}, "test")
    registry = Registry(Home.of(recipe.home))

    def registers_and_is_killed(asked: Recipe) -> None:
        newest = stages.open_store(recipe).at(asked.snapshot)
        run = finished_run(recipe, newest)
        tags = {"velatura.verdict": "healthy", "velatura.manifest": newest.manifest}
        version = registry.tracking.register(recipe.name, run, "weights", tags)
        registry.client.set_registered_model_alias(recipe.name, "challenger", version)
        registry.tracking.end(run)
        raise Killed

    def refuses(self: Registry, name: str) -> None:
        raise MlflowException("the database is locked")

    monkeypatch.setattr("flows.decide_and_train.dataset_to_model", registers_and_is_killed)
    with pytest.raises(Killed):
        decide_and_train(recipe)
    assert decide_and_train(recipe, only_ask=True).promotion is None
    with monkeypatch.context() as away:
        away.setattr(Registry, "champion", refuses)
        found = decide_and_train(recipe)
    assert not found.decision.train and found.promotion is not None
    assert "refuses: the database is locked" in found.promotion.reason
    again = decide_and_train(recipe).promotion
    assert again is not None and again.allowed
    assert [CHAMPION in one.aliases for one in registry.versions(recipe.name)] == [True]
    assert decide_and_train(recipe).promotion is None  # nothing is owed any longer
