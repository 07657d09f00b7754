import os
import shutil
import socket
from collections import namedtuple
from pathlib import Path

import pytest

from flows import doctor
from flows.home import Home

Usage = namedtuple("Usage", "total used free")


def test_what_belongs_to_somebody_else_is_told_with_who_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("datasets/mine", "runs/mine-1"):
        (tmp_path / name).mkdir(parents=True)
    assert doctor.locked(Home(tmp_path)) == []
    monkeypatch.setattr(os, "access", lambda path, _: "mine" not in Path(path).name)
    (found,) = doctor.locked(Home(tmp_path))
    assert found.state == "wrong"
    assert f"2 of its files and folders cannot be written by {doctor.user()}: {tmp_path}/datasets/mine" in found.words


def test_a_user_without_a_name_is_told_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(doctor.getpass, "getuser", nameless)
    assert doctor.user() == f"user {os.getuid()}"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (found,) = doctor.room(Home(tmp_path / "file"))
    assert found.state == "wrong"
    assert "cannot be written" in found.words


@pytest.mark.parametrize(("free", "state", "words"), [
    (1 << 20, "wrong", "a run needs 64 MB"), (1 << 30, "note", "1.0 GiB free: little"), (10 << 30, "well", "10.0 GiB"),
])  # fmt: skip
def test_room_on_the_disk_is_judged(
    free: int, state: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, free))
    (found,) = doctor.space(Home(tmp_path))
    assert (found.state, words in found.words) == (state, True)


def test_a_taken_port_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setattr(doctor, "PORTS", {"MLflow": other.getsockname()[1]})
        (found,) = doctor.ports()
    assert found.state == "note"
