import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from core.errors import SourceError
from curation.source import Source
from flows.watching import PATIENCE, Settling, Watch, listing
from tests.flows.pictures import six_pictures


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def folder_at(path: Path) -> Source:
    return Source.parse({"kind": "folder", "path": str(path)})


def watched(path: Path, act: Callable[[], float | None]) -> tuple[Watch, Clock]:
    clock = Clock()
    return Watch(folder_at(path), act, every=1, quiet=3, clock=clock, sleep=clock.sleep), clock


def passing(watch: Watch, clock: Clock, seconds: int) -> int:
    """How often it acted in so many looks, one a second."""
    count = 0
    for _ in range(seconds):
        count += watch.look()
        clock.sleep(1)
    return count


def test_a_new_a_changed_and_a_removed_file_and_a_caption_are_all_noticed(tmp_path: Path) -> None:
    folder = folder_at(six_pictures(tmp_path / "p"))
    seen = [listing(folder), listing(folder)]
    assert len(set(seen)) == 1
    (tmp_path / "p" / "shape-00.txt").write_text("a caption")
    seen.append(listing(folder))
    os.utime(tmp_path / "p" / "shape-01.png", (1, 1))
    seen.append(listing(folder))
    (tmp_path / "p" / "shape-02.png").rename(tmp_path / "p" / "new.png")
    seen.append(listing(folder))
    (tmp_path / "p" / "new.png").unlink()
    seen.append(listing(folder))
    assert len(set(seen)) == 5


def test_it_waits_until_the_source_has_come_to_rest_and_acts_once(tmp_path: Path) -> None:
    acted: list[float] = []
    six_pictures(tmp_path / "p", 2)
    watch, clock = watched(tmp_path / "p", lambda: acted.append(clock.now))
    assert passing(watch, clock, 10) == 1  # what is there at the beginning
    for second in range(5):
        os.utime(tmp_path / "p" / "shape-00.png", (second, second))
        assert not watch.look()
        clock.sleep(1)
    assert passing(watch, clock, 10) == 1
    assert acted == [3.0, 17.0]


def test_a_source_that_never_comes_to_rest_is_read_all_the_same() -> None:
    settling = Settling(quiet=3)
    times = [t for t in range(100) if settling.settled(f"listing {t}", t)]
    assert times[0] == 3 * PATIENCE


def test_what_changes_while_it_acts_is_the_next_change(tmp_path: Path) -> None:
    acted: list[int] = []
    six_pictures(tmp_path / "p", 3)

    def act() -> None:
        if not acted:
            for number in range(3):
                os.utime(tmp_path / "p" / f"shape-0{number}.png", (9, 9))
        acted.append(1)

    watch, clock = watched(tmp_path / "p", act)
    assert passing(watch, clock, 30) == 2


def test_a_guard_that_says_later_is_asked_again_without_a_change(tmp_path: Path) -> None:
    answers: list[float | None] = [10.0, None]
    six_pictures(tmp_path / "p", 2)
    watch, clock = watched(tmp_path / "p", lambda: answers.pop(0))
    assert passing(watch, clock, 40) == 2
    assert not answers


def test_what_fails_is_tried_again_less_and_less_often(tmp_path: Path) -> None:
    tries: list[float] = []
    six_pictures(tmp_path / "p", 2)

    def act() -> None:
        tries.append(clock.now)
        if len(tries) < 4:
            raise SourceError("the disk is away")

    watch, clock = watched(tmp_path / "p", act)
    assert passing(watch, clock, 60) == 1
    assert [b - a for a, b in pairwise(tries)] == [2, 4, 8]


def test_a_single_pass_tells_its_failure(tmp_path: Path) -> None:
    watch, _ = watched(tmp_path / "nothing", lambda: None)
    with pytest.raises(SourceError, match="nothing"):
        watch.until_quiet()
