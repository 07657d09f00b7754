import os
from pathlib import Path

import pytest

from core.cache import Memory, remembered
from core.errors import DiskFull
from core.files import replacing, write_text
from core.hashing import folder_digest


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    write_text(path, "old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["figures.json"]


def test_a_full_disk_is_told_in_words_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    write_text(path, "old")
    with pytest.raises(DiskFull, match="still there"), replacing(path):
        raise OSError(28, os.strerror(28))
    assert path.read_text() == "old"


def test_a_folder_digest_follows_the_content_not_the_place(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name / "unet").mkdir(parents=True)
        (tmp_path / name / "unet" / "config.json").write_text("{}")
    assert folder_digest(tmp_path / "here") == folder_digest(tmp_path / "there")
    (tmp_path / "there" / "unet" / "config.json").write_text("{ }")
    assert folder_digest(tmp_path / "here") != folder_digest(tmp_path / "there")


def test_what_is_remembered_is_made_once_and_comes_back_in_order() -> None:
    import numpy as np

    cache, made = Memory(), []

    def make(positions: list[int]) -> list["np.ndarray"]:
        made.extend(positions)
        return [np.array([position]) for position in positions]

    first = remembered(cache, ["a", "b", "a", "c"], make, batch=2)
    assert [int(array[0]) for array in first] == [0, 1, 0, 3]
    assert made == [0, 1, 3]
    remembered(cache, ["c", "b"], make)
    assert made == [0, 1, 3]
