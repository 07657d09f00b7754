"""A run ends where whoever looks at it has seen enough, and is then finished."""

from pathlib import Path

import torch

from backbones.backbone import Backbone
from tests.training import runs
from training.tensors import read_tensors


def test_a_run_ends_at_the_look_that_says_so_and_stays_ended(base: Backbone, tmp_path: Path) -> None:
    looks: list[int] = []

    def look(step: int) -> bool:
        looks.append(step)
        return step >= 4

    done = runs.run(base, tmp_path, on_pause=look)  # type: ignore[arg-type]
    assert (done.step, done.finished, looks) == (4, True, [0, 4])
    assert sorted(done.weights) == [4]
    again = runs.run(base, tmp_path, on_pause=look)  # type: ignore[arg-type]
    assert (again.step, again.finished, looks) == (4, True, [0, 4, 4])


def test_a_look_that_says_nothing_stops_nothing(base: Backbone, tmp_path: Path) -> None:
    assert runs.run(base, tmp_path, on_pause=lambda step: None).step == 8


def test_a_run_that_stops_at_a_step_goes_on_from_there_as_if_it_had_not_stopped(base: Backbone, tmp_path: Path) -> None:
    whole = runs.run(base, tmp_path / "whole")
    first = runs.run(base, tmp_path / "parts", stop_at=4)
    assert (first.step, first.finished) == (4, True)
    done = runs.run(base, tmp_path / "parts")
    for step in (4, 8):  # the schedule is that of all eight steps, also before
        one, other = (folder.weights[step] / runs.spec().adapter.files["weights"] for folder in (whole, done))
        assert read_tensors(one)[0].keys() == read_tensors(other)[0].keys()
        assert all(torch.equal(value, read_tensors(other)[0][name]) for name, value in read_tensors(one)[0].items())
