import time
from pathlib import Path

import pytest
import yaml

from curation.source import Source
from flows import watcher
from flows.noticing import LOCAL, Noticing, kind_of, noticing
from flows.watching import Watch
from tests.flows.pictures import SMALL, six_pictures


def folder_at(path: Path) -> Source:
    return Source.parse({"kind": "folder", "path": str(path)})


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    if kind_of(tmp_path) not in LOCAL:
        pytest.skip(f"{tmp_path} is on {kind_of(tmp_path)}, which other machines may write to")
    return six_pictures(tmp_path / "p", 2)


def test_a_new_a_changed_and_a_removed_file_are_told_at_once_and_nothing_else_is(pictures: Path) -> None:
    told = noticing(folder_at(pictures))
    assert told is not None
    assert not told.wait(0.6)
    next(iter(folder_at(pictures).pictures())).read()  # reading is no change
    assert not told.wait(0.6)
    below = pictures / "below"
    below.mkdir()
    assert told.wait(10)
    (below / "a.txt").write_text("a caption")
    assert told.wait(10)
    (pictures / "shape-00.png").unlink()
    began = time.monotonic()
    assert told.wait(10)
    assert time.monotonic() - began < 5


def test_a_folder_that_goes_away_and_comes_back_is_told_and_watched_again(pictures: Path) -> None:
    told = Noticing(pictures)
    pictures.rename(pictures.parent / "away")
    assert told.wait(10)
    while told.wait(0.6):  # its end may be told twice
        pass
    six_pictures(pictures, 1)
    assert told.wait(10)
    while told.wait(0.6):
        pass
    (pictures / "new.txt").write_text("a caption")
    assert told.wait(10)


def test_what_is_no_folder_of_this_machine_is_listed_instead(tmp_path: Path) -> None:
    assert noticing(Source.parse({"kind": "folder", "path": "s3://bucket/pictures"})) is None
    assert noticing(folder_at(tmp_path / "nothing")) is None


def test_a_watch_looks_soon_while_something_is_on_its_way_and_rarely_otherwise(pictures: Path) -> None:
    slept: list[float] = []
    watch = Watch(
        folder_at(pictures), lambda: None, every=1, quiet=0.2, sleep=slept.append, noticing=Noticing(pictures)
    )
    assert not watch.look()
    watch.rest()
    assert slept == [1]
    time.sleep(0.25)
    assert watch.look()
    (pictures / "shape-00.txt").write_text("a caption")
    began = time.monotonic()
    watch.rest()  # a minute, if it were not told
    assert time.monotonic() - began < 20
    assert slept == [1]
    assert not watch.look()
    assert watch.settling.changing


def test_a_watcher_that_is_told_of_no_changes_leaves_them_to_the_schedule_and_goes_on(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = pictures.parent / "mine.yaml"
    recipe.write_text(yaml.safe_dump(SMALL | {"pictures": {"kind": "folder", "path": str(pictures)}}))
    slept: list[float] = []

    def no_watch_is_left(self: Noticing) -> None:
        raise OSError(28, "OS file watch limit reached")

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise KeyboardInterrupt  # whoever keeps it running is ended

    monkeypatch.setattr(Noticing, "_begin", no_watch_is_left)
    monkeypatch.setattr(watcher, "run_deployment", lambda *_, **__: pytest.fail("it has nothing to tell of"))
    monkeypatch.setattr(watcher.time, "sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        watcher.keep_watching(recipe)
    assert slept == [watcher.EVER] * 3
    assert "the schedule of watch-sources/watch-sources lists it" in capsys.readouterr().out
