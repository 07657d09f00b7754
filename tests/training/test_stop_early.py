"""A run ends where whoever looks at it has seen enough, and is then finished."""

from pathlib import Path

from backbones.backbone import Backbone
from tests.training import runs


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
