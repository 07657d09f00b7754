"""Small sets: parts are whole groups, each is held out once, and all pictures are trained on in the end."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mlflow.exceptions import MlflowException

from core.errors import NotEnoughData, RecipeError, TrackingError
from core.snapshot import Snapshot
from curation.splits import Split
from evaluation.metrics.probe import Probe
from flows import stages
from flows.comparing_runs import rows
from flows.dataset_to_model import dataset_to_model
from flows.folding import Fold, rounds
from flows.folds import Part, in_fold, pooled
from flows.guard import decide_for
from flows.home import Home
from flows.recipe import check
from flows.tracking import Tracking
from store.store import Store
from tests.backbones.tiny import make_sd15
from tests.curation.test_splits import record
from tests.flows.pictures import SMALL, six_pictures


def test_every_group_is_held_out_once_and_whole() -> None:
    records = [replace(record(f"{at}"), group=f"group-{at // 2}", split="train") for at in range(14)]
    held = [[r.group for r in in_fold(records, (number, 3)) if r.split == "held_out"] for number in (1, 2, 3)]
    assert sorted(group for part in held for group in part) == sorted(r.group for r in records)
    assert all(len(part) in (4, 6) for part in held)
    assert in_fold(records, None) == records


def test_no_picture_is_held_out_by_a_split_that_is_cut_into_parts() -> None:
    assert Split().key == Split(k_fold=0).key != Split(k_fold=3).key
    with pytest.raises(RecipeError, match="2 or more"):
        check(SMALL | {"pictures": {"kind": "folder", "path": "x"}, "split": {"k_fold": 1}}, "test")


def part(seed: int, best: int) -> Part:
    """A run that learns until ``best`` and gets worse after."""
    rng = np.random.default_rng(seed)
    groups = tuple(f"group {seed} {at}" for at in range(8))
    own = rng.normal(0, 0.02, (8, 1))
    rise = {step: 0.3 * step / best if step <= best else 0.3 - 0.3 * (step - best) / best for step in (0, 50, 100, 150)}
    return Part(
        {step: np.exp(-value + own * (step > 0)) for step, value in rise.items()},
        groups,
        (*["held_out"] * 4, *["train"] * 4),
    )


def test_the_parts_together_choose_the_step_and_say_how_sure_that_is() -> None:
    found = pooled([part(seed, 100) for seed in range(3)], Probe(timesteps=(500,)))
    assert found.best == 100 and found.interval == (100, 100)
    assert found.curve[100].count("held_out") == 12
    assert (
        "3 runs up to step 150, each without" in found.words and "step 100 (the same in 95 % of draws)" in found.words
    )
    assert found.turned, "150 is surely worse"
    unsure = pooled([part(0, 50), part(1, 100), part(2, 150)], Probe(timesteps=(500,)))
    low, high = unsure.interval
    assert low <= unsure.best <= high and low < high and not unsure.turned
    assert unsure.figures == {"folds/step": unsure.best, "folds/step_low": low, "folds/step_high": high}


def test_the_parts_are_trained_by_a_fourth_at_a_time() -> None:
    def asked(**train: int) -> list[int]:
        return rounds(check(SMALL | {"pictures": {"kind": "folder", "path": "x"}, "train": train}, "test").train)

    assert asked(steps=400, probe_every=50) == [100, 200, 300, 400]
    assert asked(steps=160, probe_every=54) == [54, 108, 160]
    assert asked(steps=10, probe_every=100) == [10]


def test_a_part_of_which_mlflow_refuses_something_is_told_in_words_and_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = {"pictures": {"kind": "folder", "path": str(tmp_path)}, "home": str(tmp_path / "data"), "fold": [1, 2]}
    store = Store.open(tmp_path / "store")
    tracking = Tracking(Home(tmp_path / "data"))

    def refuses(self: Tracking, run: str, tags: object) -> None:
        raise MlflowException("the database is locked")

    monkeypatch.setattr(Tracking, "tag", refuses)
    snapshot = Snapshot(store.uri, "data-0001", 0, 0, "ab" * 32)
    with pytest.raises(TrackingError, match="refuses: the database is locked"):
        Fold(check(SMALL | place, "test"), store, snapshot, tracking).trained(4)
    (run,) = tracking.client.search_runs([tracking.experiment])
    assert run.info.status == "FAILED"


@pytest.mark.usefixtures("prefect_api")
def test_a_small_set_is_trained_on_as_a_whole_and_judged_by_its_parts(tmp_path: Path) -> None:
    six_pictures(tmp_path / "pictures", 16)  # more on a side than a look has time for
    pictures = {"kind": "folder", "path": str(tmp_path / "pictures")}
    base = make_sd15(tmp_path / "base", layers=1)
    spec = {
        "split": {"k_fold": 2},
        "metrics": ["probe", "memorisation", "distribution", "strength"],
        "home": str(tmp_path / "data"),
        "base": str(base),
    }
    train = {"steps": 2, "batch_size": 2, "checkpoint_every": 2, "probe_every": 1}
    done = dataset_to_model(check(SMALL | {"pictures": pictures, "train": train} | spec, "test"))
    assert done.job.snapshot.held_out == 0
    assert {"probe/learning", "probe/learning_low"} <= set(done.judgement.figures)
    assert "2 runs up to step 2, each without" in Path(done.judgement.files["report"]).read_text()
    assert {"memorisation/copy_rate", "folds/step", "folds/step_low", "folds/step_high"} <= set(done.judgement.figures)
    assert done.judgement.best_strength is None, "all pictures were trained on"
    assert done.job.recipe.train.steps == 2 and done.job.recipe.train.end == done.judgement.kept_step
    assert len(list(done.job.folder.parent.glob("six-*/job.json"))) == 3
    assert "Not measured: distribution (no held-out pictures)" in Path(done.judgement.files["report"]).read_text()
    tracking = Tracking(Home.of(done.job.recipe.home))
    children = f"tags.`mlflow.parentRunId` = '{done.judgement.run}' and tags.`velatura.fold` LIKE '%'"
    parts = tracking.client.search_runs([tracking.experiment], children)
    assert sorted(run.data.tags["velatura.fold"] for run in parts) == ["(1, 2)", "(2, 2)"]
    assert [row.run for row in rows(tracking.home, [], "six")] == [done.judgement.run]
    asked = check(SMALL | {"pictures": pictures, "train": train} | spec, "test")
    said = decide_for(asked, stages.open_store(asked), done.job.snapshot)
    assert not said.train and "nothing has been trained" not in said.reason
    again = dataset_to_model(check(SMALL | {"pictures": pictures, "train": train} | spec, "test"))
    assert not again.fresh
    with pytest.raises(NotEnoughData, match="cannot be cut into 9 parts"):
        dataset_to_model(
            check(SMALL | {"pictures": pictures, "train": train} | spec | {"split": {"k_fold": 9}}, "test")
        )
