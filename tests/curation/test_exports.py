"""Exports of every layout: imported again nothing is lost, and nothing half is ever left."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from core.errors import ExportError, NotEnoughData
from core.hashing import sha256_of
from core.marks import DERIVED, FRAME_OF
from core.progress import shown_by
from curation.curate import curate
from curation.export import Export
from curation.ingest import ingest
from curation.reading import Frames, Reading
from curation.sources.folder import Folder
from curation.sources.huggingface import Huggingface
from curation.splits import Split
from store.store import Store
from tests.curation.conftest import encoded, scene
from tests.curation.exports import MATCHING, kept, told, written


def test_every_layout_has_a_matching_source() -> None:
    assert set(MATCHING) == set(Export.kinds())


@pytest.mark.parametrize("kind", Export.kinds())
def test_importing_an_export_gives_contents_captions_weights_tags_and_names_again(
    many_kinds: Store, kind: str, tmp_path: Path
) -> None:
    done = written(many_kinds, kind, tmp_path / "out")
    assert done.pictures == sum(kept(many_kinds).values()) == 13
    assert done.held_out
    assert told(MATCHING[kind](tmp_path / "out").pictures()) == kept(many_kinds)
    again = Store.open(tmp_path / "again")
    ingest(again, MATCHING[kind](tmp_path / "out"))
    assert kept(again) == kept(many_kinds)


@pytest.mark.parametrize("kind", Export.kinds())
def test_derived_pictures_come_along_if_asked_and_stay_beside_the_real_one_when_imported(
    many_kinds: Store, kind: str, tmp_path: Path
) -> None:
    done = written(many_kinds, kind, tmp_path / "out", derived=True, side="train")
    assert done.derived > 0
    assert done.held_out == 0
    pictures = {p.name: p for p in MATCHING[kind](tmp_path / "out").pictures()}
    made = {name: p for name, p in pictures.items() if "~black_and_white-" in name}
    assert len(made) == done.derived
    for name, picture in made.items():
        root = pictures[name.partition("~")[0] + Path(name).suffix]
        assert f"{DERIVED}{sha256_of(root.read())}" in picture.tags
    again = Store.open(tmp_path / "again")
    ingest(again, MATCHING[kind](tmp_path / "out"))
    curate(again, [], Split(held_out=0.5))
    records = {record.name: record for record in again.records()}
    for name in made:
        root_record = records[name.partition("~")[0] + Path(name).suffix]
        assert (records[name].split, root_record.split) == ("train", "train")
        assert records[name].group == root_record.group


@pytest.mark.parametrize("kind", Export.kinds())
def test_equal_data_gives_equal_bytes(many_kinds: Store, kind: str, tmp_path: Path) -> None:
    first, second = (written(many_kinds, kind, tmp_path / name).folder for name in ("one", "two"))
    files = [{p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()} for root in (first, second)]
    assert files[0].keys() == files[1].keys()
    differing = {str(name) for name in files[0] if files[0][name] != files[1][name]}
    assert differing <= {"dataset.toml"}, "which says where it stands"


def test_only_one_side_is_written_if_asked_and_a_snapshot_is_as_it_was(many_kinds: Store, tmp_path: Path) -> None:
    tag = many_kinds.snapshot().tag
    everything = kept(many_kinds)
    held = written(many_kinds, "imagefolder", tmp_path / "held", side="held_out")
    assert held.pictures == held.held_out > 0
    assert not (held.folder / "train").exists()
    many_kinds.put_records(
        replace(record, verdict="removed") for record in many_kinds.records() if record.name != "a.png"
    )
    assert written(many_kinds, "imagefolder", tmp_path / "now").pictures == 1
    then = written(many_kinds, "imagefolder", tmp_path / "then", tag=tag)
    assert told(Huggingface(path=str(then.folder)).pictures()) == everything


def test_nothing_of_the_users_is_written_over(many_kinds: Store, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    for name, words in (("full", "not empty: it holds mine.txt"), ("file", "is a file")):
        with pytest.raises(ExportError, match=words):
            written(many_kinds, "kohya", tmp_path / name)
    assert (tmp_path / "full" / "mine.txt").read_text() == "x"
    assert written(many_kinds, "kohya", tmp_path / "empty").folder == tmp_path / "empty"
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_an_export_without_pictures_and_one_that_fails_leave_nothing(many_kinds: Store, tmp_path: Path) -> None:
    with pytest.raises(NotEnoughData, match="nothing to export"):
        written(Store.open(tmp_path / "other"), "kohya", tmp_path / "out")

    def stop(label: str, done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), shown_by(stop):
        written(many_kinds, "kohya", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []


KILLED = """
import sys, time
from core.progress import shown_by
from curation.export import Export
from curation.exporting import export
from store.store import Store

def stop(label, done, total):
    if done == 3:
        print("three", flush=True)
        time.sleep(600)

with shown_by(stop):
    export(Store.open(sys.argv[1]), Export.parse("webdataset"), __import__("pathlib").Path(sys.argv[2]))
"""


def test_an_export_that_is_killed_leaves_nothing_that_looks_whole(many_kinds: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", KILLED, many_kinds.uri, str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    assert process.stdout.readline() == "three\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    assert [path.name for path in tmp_path.glob(".out.*.partial")] == [f".out.{process.pid}.partial"]
    assert written(many_kinds, "webdataset", out).pictures == 13


@pytest.mark.parametrize("kind", Export.kinds())
def test_later_frames_of_an_animated_picture_stay_in_one_group_with_it(tmp_path: Path, kind: str) -> None:
    """Each is a picture of its own and looks like none of the others: only the export can say what they are."""
    (tmp_path / "pictures").mkdir()
    first, *rest = (Image.fromarray(scene(seed)) for seed in range(40, 49))
    data = encoded(first, "GIF", save_all=True, append_images=rest, duration=100)
    (tmp_path / "pictures" / "moves.gif").write_bytes(data)
    for seed in range(12):
        (tmp_path / "pictures" / f"{seed}.png").write_bytes(encoded(scene(seed)))
    store, again = Store.open(tmp_path / "store"), Store.open(tmp_path / "again")
    ingest(store, Folder(path=str(tmp_path / "pictures")), reading=Reading(frames=Frames(every=3)))
    curate(store, [], Split())
    done = written(store, kind, tmp_path / "out")
    assert any("2 later frames" in note and "frame_of=" in note for note in done.notes)
    ingest(again, MATCHING[kind](tmp_path / "out"))
    curate(again, [], Split(held_out=0.5, difference=0))
    records = {record.name: record for record in again.records()}
    moving = [records[name] for name in ("moves.gif", "moves.gif#3", "moves.gif#6")]
    assert {record.group for record in moving} == {moving[0].group}
    assert len({record.group for record in records.values()}) == 13
    assert [record.tags for record in moving[1:]] == [(f"{FRAME_OF}{sha256_of(data)}",)] * 2
