from pathlib import Path

import pytest

from core.errors import SourceError
from flows.recipe import Recipe, check
from flows.unchanged import LastTime
from tests.flows.pictures import SMALL, six_pictures


def recipe_of(folder: Path, **changes: object) -> Recipe:
    pictures = {"kind": "folder", "path": str(folder / "pictures")}
    return check(SMALL | {"pictures": pictures, "home": str(folder / "data")} | changes, "test")


def test_a_source_is_the_same_only_if_a_run_of_the_same_recipe_was_through_and_no_file_changed(tmp_path: Path) -> None:
    six_pictures(tmp_path / "pictures")
    assert not LastTime.of(recipe_of(tmp_path)).is_same
    LastTime.of(recipe_of(tmp_path)).through()
    assert LastTime.of(recipe_of(tmp_path)).is_same
    assert not LastTime.of(recipe_of(tmp_path, train={"steps": 5})).is_same
    (tmp_path / "pictures" / "shape-00.txt").write_text("a caption")
    assert not LastTime.of(recipe_of(tmp_path)).is_same


def test_what_came_during_a_run_is_seen_by_the_next_one(tmp_path: Path) -> None:
    six_pictures(tmp_path / "pictures")
    last = LastTime.of(recipe_of(tmp_path))
    six_pictures(tmp_path / "pictures", 7)  # while it runs
    last.through()
    assert not LastTime.of(recipe_of(tmp_path)).is_same


def test_a_damaged_memory_and_a_run_that_reads_no_source_are_never_the_same(tmp_path: Path) -> None:
    six_pictures(tmp_path / "pictures")
    last = LastTime.of(recipe_of(tmp_path))
    last.through()
    last.path.write_text("{")
    assert not LastTime.of(recipe_of(tmp_path)).is_same
    fixed = LastTime.of(recipe_of(tmp_path, snapshot="data-0001"))
    fixed.through()
    assert not fixed.is_same


def test_a_source_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        LastTime.of(recipe_of(tmp_path))
