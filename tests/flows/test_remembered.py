from pathlib import Path

import pytest

from core.snapshot import Snapshot
from flows import remembered
from flows.recipe import check
from flows.remembered import Heard, Owed, Remembered
from tests.flows.pictures import SMALL


def version(number: int) -> Snapshot:
    return Snapshot(store="/s", tag=f"data-{number:04}", count=6, held_out=2, manifest=f"{number:064x}")


@pytest.fixture
def heard(tmp_path: Path) -> Heard:
    pictures = {"kind": "folder", "path": str(tmp_path)}
    return Heard.of(check(SMALL | {"pictures": pictures, "home": str(tmp_path / "data")}, "test"))


def test_what_was_dealt_with_is_remembered_and_a_damaged_memory_is_none(tmp_path: Path) -> None:
    known = Remembered(tmp_path / "watch" / "mine.json")
    assert known.read() == ""
    known.write("abc")
    assert known.read() == "abc"
    known.path.write_text("{")
    assert known.read() == ""


def test_a_version_that_nobody_decided_on_is_announced_again_after_a_while(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not heard.is_due(version(1))  # never announced: that is not for this to do
    heard.announced(version(1))
    assert not heard.is_due(version(1))
    monkeypatch.setattr(remembered, "AGAIN", -1.0)
    assert heard.is_due(version(1))
    heard.decided(version(1))
    assert not heard.is_due(version(1))
    heard.announced(version(2))
    assert heard.is_due(version(2))


def test_what_a_look_made_and_told_nobody_is_due_and_what_others_made_is_not(heard: Heard) -> None:
    heard.looking([version(1)])
    assert not heard.is_due(version(1))
    assert heard.is_due(version(2))  # its process ended before it could say so
    heard.looking([version(1), version(2)])  # the look after it
    heard.unchanged(version(2))
    assert heard.is_due(version(2))
    heard.announced(version(2))
    assert not heard.is_due(version(2))
    assert not heard.is_due(version(3))  # another recipe's: this one's looks have made none since
    heard.looking([version(3)])
    heard.unchanged(version(3))
    assert not heard.is_due(version(4))
    heard.looking([])
    assert heard.is_due(version(5))
    heard.decided(version(5))
    assert not heard.is_due(version(5))


def test_a_contest_is_owed_until_it_is_done(tmp_path: Path) -> None:
    owed = Owed(tmp_path / "watch" / "mine.contest.json")
    assert owed.manifest == ""
    owed.begin(version(3))
    assert owed.manifest == version(3).manifest
    owed.done()
    assert owed.manifest == ""
