"""Tests of what is said of progress where the output is no terminal."""

import pytest

from core.progress import UNKNOWN, report, say, shown_by
from flows import console
from flows.console import Lines


def test_work_is_told_when_it_begins_and_when_it_is_done_and_only_then(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_by(Lines()):
        for done in (0, 1, 2, 3, 3):
            report("training", done, 3)
        report("captioning", 0, 0)
        say("waiting for process 7")
    assert capsys.readouterr().err.splitlines() == [
        "training: 3 to do",
        "training: 3 done in 0 s",
        "captioning: nothing to do",
        "waiting for process 7",
    ]


def test_long_work_is_told_again_while_it_lasts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "EVERY", 0.0)
    with shown_by(Lines()):
        report("training", 0, 9)
        report("training", 4, 9)
        report("encoding", 5, UNKNOWN)
    assert "training: 4 of 9" in capsys.readouterr().err.splitlines()
