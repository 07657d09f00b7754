"""What the world does to a run: somebody else writes to the same store, the disk is full, the recipe has a typo."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from core.errors import DiskFull
from core.progress import shown_by
from flows.dataset_to_model import dataset_to_model
from flows.recipe import Recipe, check
from flows.stages import open_store
from tests.flows.pictures import SMALL, six_pictures
from tests.flows.servers import ROOT
from tests.store.things import hold_writer


def recipe_of(pictures: Path, home: Path) -> Recipe:
    return check(SMALL | {"pictures": {"kind": "folder", "path": str(pictures)}, "home": str(home)}, "test")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("only root may mount a small disk to fill")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_disk_that_fills_up_in_the_middle_is_told_and_nothing_is_lost(
    tmp_path: Path, disk: Path, prefect_api: None
) -> None:
    recipe = recipe_of(six_pictures(tmp_path / "pictures"), disk)
    ballast = disk / "ballast"

    def fill(label: str, done: int, total: int) -> None:
        if label.startswith("judging") and not ballast.exists():
            ballast.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - 4096)))

    with pytest.raises(DiskFull, match="room"), shown_by(fill):
        dataset_to_model(recipe)
    with pytest.raises(DiskFull, match="at least 64 MB"):
        dataset_to_model(recipe)
    ballast.unlink()
    done = dataset_to_model(recipe)
    assert done.prepared.ingested.read == 0  # all was there already
    assert done.prepared.curated.kept == 6


def test_a_second_run_on_the_same_store_waits_and_says_for_whom(tmp_path: Path, prefect_api: None) -> None:
    recipe = recipe_of(six_pictures(tmp_path / "pictures"), tmp_path / "data")
    store = open_store(recipe)
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    holder = multiprocessing.get_context("spawn").Process(target=hold_writer, args=(store.uri, theirs))
    holder.start()
    assert ours.recv() == "held"
    waited = threading.Event()

    def listen(label: str, done: int, total: int) -> None:
        if f"waiting for process {holder.pid}" in label and not waited.is_set():
            waited.set()
            ours.send("let go")

    with shown_by(listen):
        done = dataset_to_model(recipe)
    holder.join()
    assert waited.is_set()
    assert done.fresh


def test_a_typo_is_told_by_the_command_without_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        yaml.safe_dump({"name": "mine", "pictures": {"kind": "folder", "path": "x"}, "train": {"stpes": 3}})
    )
    command = [sys.executable, "-m", "flows.command_line", "run", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "recipe error" in done.stderr
    assert "train.stpes: no such key; did you mean `steps`?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_that_is_told_to_end_leaves_no_server_behind(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    pictures = {"kind": "folder", "path": str(six_pictures(tmp_path / "pictures"))}
    path.write_text(yaml.safe_dump(SMALL | {"pictures": pictures, "home": str(tmp_path / "data")}))
    command = [sys.executable, "-m", "flows.command_line", "run", str(path)]
    env = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}  # there may be one already
    process = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.DEVNULL, start_new_session=True)
    while not any("uvicorn" in words_of(one) for one in psutil.Process(process.pid).children()):
        time.sleep(0.05)
    process.terminate()  # while it waits for the server
    assert process.wait(60) != 0
    for _ in range(50):
        if not (left := [one for one in psutil.process_iter() if session_of(one) == process.pid]):
            break
        time.sleep(0.2)
    assert not left


def words_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has just ended
        return []


def session_of(process: psutil.Process) -> int:
    try:
        return os.getsid(process.pid)
    except ProcessLookupError:
        return 0


def test_a_missing_folder_is_told_by_the_command_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"name": "mine", "pictures": {"kind": "folder", "path": str(tmp_path / "nowhere")}}))
    command = [sys.executable, "-m", "flows.command_line", "run", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "source error" in done.stderr
    assert "nowhere" in done.stderr
    assert "starting" not in done.stderr
