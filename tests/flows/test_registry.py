"""Challenger, champion, rollback and pull on a real MLflow."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from core.errors import ExportError, TrackingError
from evaluation.metric import Figure
from flows.commands.models import promote, rollback
from flows.comparing_runs import differing, link, rows
from flows.contest import contest
from flows.home import Home
from flows.pulling import pull
from flows.registry import CHALLENGER, Promotion, Registry, Version, judged
from flows.tracking import Tracking


def version(number: str, verdict: str = "healthy") -> Version:
    return Version("mine", number, f"run{number}", verdict, "data-0001", "m1", ())


@pytest.mark.parametrize(
    ("verdict", "champion", "better", "allowed"),
    [
        ("healthy", None, None, True),
        ("overfit", None, None, False),
        ("", None, None, False),
        ("healthy", "1", Figure("better", 0.05, 0.01, 0.09), True),
        ("healthy", "1", Figure("better", 0.05, -0.01, 0.11), True),
        ("healthy", "1", Figure("better", 0.05, -0.03, 0.13), False),
        ("healthy", "1", Figure("better", -0.01, -0.015, -0.005), False),
        ("healthy", "1", None, False),
        ("overfit", "1", Figure("better", 0.5, 0.4, 0.6), False),
        ("healthy", "2", None, False),
    ],
)
def test_the_guard_wants_a_healthy_verdict_and_a_better_model(
    verdict: str, champion: str | None, better: Figure | None, allowed: bool
) -> None:
    found = judged(version("2", verdict), version(champion) if champion else None, better)
    assert isinstance(found, Promotion)
    assert found.allowed is allowed
    assert "mine version 2" in found.reason or better is None


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Three versions of one model."""
    home = Home(tmp_path_factory.mktemp("home"))
    tracking = Registry(home).tracking
    for number in (1, 2, 3):
        tags = {"velatura.verdict": "healthy", "velatura.learning": f"0.{number}", "velatura.recipe": "mine"}
        run = tracking.begin(f"k{number}", f"mine-{number}", tags, {"train.steps": str(number), "name": "mine"})
        file = home.root / "weights" / str(number) / "mine.safetensors"
        file.parent.mkdir(parents=True)
        save_file({"a": np.full(3, number, np.float32)}, file, {"ss_output_name": "mine"})
        tracking.log_file(run, file, "weights")
        tracking.register("mine", run, "weights", {"velatura.verdict": "healthy", "velatura.dataset": "data-0001"})
        tracking.end(run)
    return home


def test_champions_follow_each_other_and_a_rollback_goes_back(home: Home) -> None:
    registry = Registry(home)
    registry.alias(registry.named("mine@2"), CHALLENGER)
    with pytest.raises(TrackingError, match=r"no version champion; there are: 3, 2 \(challenger\), 1"):
        registry.named("mine")
    for number in ("1", "2", "2"):
        registry.crown(registry.named(f"mine@{number}"))
    assert registry.named("mine").number == "2"
    assert not [one for one in registry.versions("mine") if CHALLENGER in one.aliases]  # it is champion now
    assert registry.roll_back("mine")[1].number == "1"
    assert registry.named("mine@champion").number == "1"
    with pytest.raises(TrackingError, match="none to go back to"):
        registry.roll_back("mine")


def test_a_crowning_that_was_cut_off_is_brought_to_its_end(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(home)
    registry.alias(registry.named("mine@3"), CHALLENGER)
    with monkeypatch.context() as cut:
        cut.setattr(registry.client, "delete_registered_model_alias", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            registry.crown(registry.named("mine@3"))
    assert registry.named("mine@3").aliases == (CHALLENGER, "champion")
    found = contest(home, registry, registry.named("mine@3"))
    assert found.allowed and "cut off" in found.reason
    assert registry.named("mine@3").aliases == ("champion",)
    before = registry.champions("mine")
    assert before[-1] == "3" and len(before) == len(set(before))
    with monkeypatch.context() as cut:
        cut.setattr(registry.client, "set_registered_model_tag", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            registry.roll_back("mine")
    assert registry.roll_back("mine")[1].number == before[-2]


def test_a_model_that_is_not_there_is_told_with_those_that_are(home: Home) -> None:
    with pytest.raises(TrackingError, match=r"no registered model 'yours'; there are: mine"):
        Registry(home).named("yours@1")


def test_a_pulled_file_says_its_version_and_overwrites_no_other(home: Home, tmp_path: Path) -> None:
    registry = Registry(home)
    wanted = registry.named("mine@v3")
    path = pull(registry, wanted, home, tmp_path)
    assert path == tmp_path / "mine-v3.safetensors"
    with safe_open(path, "np") as file:
        assert file.get_tensor("a").tolist() == [3, 3, 3]
        said = file.metadata()
    assert (said["velatura.version"], said["ss_output_name"]) == ("3", "mine")
    assert pull(registry, wanted, home, tmp_path) == path  # the same again is no mistake
    (kept,) = (home.root / "pulled").glob("*/")
    assert [one.name for one in kept.iterdir()] == ["mine.safetensors"]
    path.write_text("somebody's work")
    with pytest.raises(ExportError, match="another file"):
        pull(registry, wanted, home, tmp_path)
    assert path.read_text() == "somebody's work"
    with pytest.raises(TrackingError, match=r"it has: mine\.safetensors"):
        pull(registry, wanted, home, tmp_path, "other.pt")


def test_runs_are_compared_by_figures_and_by_what_differs(home: Home) -> None:
    found = rows(home, ["mine-1", "mine@3"])
    assert [row.said["learning"] for row in found] == ["0.1", "0.3"]
    assert differing(found) == ["train.steps"]
    assert [row.name for row in rows(home, [], "mine")] == ["mine-3", "mine-2", "mine-1"]
    tracking = Tracking(home)
    rung = tracking.begin_child(found[0].run, "rung", "mine-rung-1", {"velatura.recipe": "mine-rung"})
    tracking.begin_child(found[0].run, "stage", "mine-1: train", {"velatura.stage": "train"})
    assert [row.name for row in rows(home, [])] == ["mine-3", "mine-2", "mine-1"], "no run below another one"
    assert [row.run for row in rows(home, [], "mine-rung")] == [rung], "but where that is asked for"
    assert f"#/compare-runs?runs=%5B%22{found[0].run}" in link(home, found, "http://127.0.0.1:5000")
    with pytest.raises(TrackingError, match="the newest are: mine-3"):
        rows(home, ["nothing"])
    with pytest.raises(TrackingError, match="no run of yours"):
        rows(home, [], "yours")


@pytest.mark.parametrize("act", [promote, rollback])
def test_a_registry_that_is_away_is_told_at_once(
    act: Callable[[str], None], home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("VELATURA_DATA", str(home.root))
    with pytest.raises(TrackingError, match="does not answer"):
        act("mine")
