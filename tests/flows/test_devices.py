"""A training has GPUs for itself; nobody holds half of what it needs."""

from pathlib import Path

import pytest

from flows.devices import VISIBLE, gpus, held
from flows.home import Home


def test_each_training_sees_gpus_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "3,5,GPU-ab12")
    home = Home(tmp_path)
    with held(home, 1) as first, held(home, 2) as others:
        assert (first[VISIBLE], others[VISIBLE]) == ("3", "5,GPU-ab12")
    with held(home, 9) as every:
        assert every[VISIBLE] == "3,5,GPU-ab12", "as many as there are"


def test_who_needs_more_than_is_free_holds_nothing_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VISIBLE, "0,1")
    home, waited = Home(tmp_path), []

    def elsewhere(_: float) -> None:
        with held(home, 1) as other:  # the second is free for somebody who needs one only
            waited.append(other[VISIBLE])
        first.__exit__(None, None, None)

    monkeypatch.setattr("flows.devices.time.sleep", elsewhere)
    first = held(home, 1)
    assert first.__enter__()[VISIBLE] == "0"
    with held(home, 2) as both:
        assert both[VISIBLE] == "0,1"
    assert waited == ["1"]


def test_without_a_gpu_the_cpu_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "")
    assert gpus() == []
    with held(Home(tmp_path), 1) as nothing:
        assert nothing == {}
