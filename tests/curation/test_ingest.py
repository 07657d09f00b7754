import os
import pickle
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.caption import Caption
from core.errors import SourceError
from core.progress import UNKNOWN, shown_by
from core.record import Record
from curation.curate import Curated, curate
from curation.filter import Filter
from curation.filters.resolution import Resolution
from curation.filters.sharpness import Sharpness
from curation.ingest import Ingested, ingest
from curation.reading import Reading
from curation.sources.folder import Folder
from curation.splits import Split
from store.store import Store
from tests.curation import hooks
from tests.curation.conftest import encoded, scene

MakeFolder = Callable[..., Path]
KINDS = ("aspect", "exposure", "information", "near_duplicate", "resolution", "sharpness")
FILTERS = [Filter.parse(kind) for kind in KINDS]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


def run(store: Store, root: Path, filters: list[Filter] = FILTERS, **options: object) -> tuple[Ingested, Curated]:
    ingested = ingest(store, Folder(path=str(root)), filters, **options)
    return ingested, curate(store, filters, Split())


def by_name(store: Store) -> dict[str, Record]:
    return {record.name: record for record in store.records() if record.verdict != "removed"}


def user_captions(store: Store) -> dict[str, str]:
    captions = store.captions()
    return {name: captions[r.id].user for name, r in by_name(store).items() if r.id in captions}


def test_a_pile_of_files_becomes_records_each_kept_or_refused_for_a_reason(store: Store, folder: MakeFolder) -> None:
    root = folder(*range(8))
    shutil.copy(root / "001.png", root / "copy.png")
    (root / "again.jpg").write_bytes(encoded(scene(2), "JPEG", quality=75, subsampling=0))
    (root / "flat.png").write_bytes(encoded(np.full((64, 64, 3), 90, np.uint8)))
    (root / "page.jpg").write_bytes(b"<html>")
    (root / "cut.png").write_bytes(encoded(scene(9))[:200])
    (root / "gone.png").symlink_to(root / "nowhere")
    (root / "003.txt").write_text("boxes of three")
    steps: list[int] = []
    with shown_by(lambda *said: steps.append(said[1])):
        ingested, curated = run(store, root)
    assert (ingested.found, ingested.read, ingested.new, ingested.unchanged) == (14, 14, 14, 0)
    assert dict(ingested.refused) == {"not_a_picture": 1, "truncated": 1, "unreadable": 1}
    expected = {"duplicate": 1, "near_duplicate": 1, "no_information": 1}
    assert dict(curated.refused) == {**expected, "not_a_picture": 1, "truncated": 1, "unreadable": 1}
    assert (curated.kept, curated.groups, curated.held_out) == (8, 8, 2)
    records = by_name(store)
    assert store.image(records["001.png"].sha256) == (root / "001.png").read_bytes()
    assert records["copy.png"].group == records["001.png"].group
    assert "001.png" in records["copy.png"].reasons[0].words
    assert user_captions(store) == {"003.png": "boxes of three"}
    assert 14 in steps
    assert pickle.loads(pickle.dumps((ingested, curated))) == (ingested, curated), "they travel between tasks"
    assert store.snapshot().count == 8


def test_a_second_time_nothing_is_read_and_nothing_changes(store: Store, folder: MakeFolder) -> None:
    root = folder(*range(6))
    (root / "page.jpg").write_bytes(b"<html>")
    run(store, root)
    before, manifest = store.records(), store.snapshot().manifest
    ingested, curated = run(store, root)
    assert (ingested.unchanged, ingested.read, ingested.new, ingested.removed) == (7, 0, 0, 0)
    assert dict(ingested.refused) == {"not_a_picture": 1}
    assert curated.changed == 0
    assert store.records() == before
    assert store.snapshot().manifest == manifest


def test_only_what_changed_is_read_and_what_is_gone_stays_as_a_row(store: Store, folder: MakeFolder) -> None:
    root = folder(*range(6))
    run(store, root)
    sides = {name: record.split for name, record in by_name(store).items()}
    os.utime(root / "000.png", ns=(1, 1))  # touched: read, but known by its content
    (root / "001.png").write_bytes(encoded(scene(21)))
    (root / "002.png").unlink()
    (root / "new.png").write_bytes(encoded(scene(22)))
    ingested, curated = run(store, root)
    assert (ingested.read, ingested.decoded, ingested.new, ingested.removed) == (3, 2, 2, 2)
    assert (curated.kept, curated.removed) == (6, 2)
    assert {r.name for r in store.records() if r.verdict == "removed"} == {"001.png", "002.png"}
    (root / "002.png").write_bytes(encoded(scene(2)))
    ingested, curated = run(store, root)
    assert (ingested.returned, ingested.new, curated.kept) == (1, 0, 7)
    assert {name: by_name(store)[name].split for name in sides if name != "001.png"} == {
        name: side for name, side in sides.items() if name != "001.png"
    }


def test_what_comes_in_many_parts_ends_as_what_comes_in_one(
    store: Store, folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = folder(*range(11))
    (root / "page.jpg").write_bytes(b"<html>")
    whole = Store.open(tmp_path / "whole")
    run(whole, root)
    monkeypatch.setattr("curation.ingest.SHARD", 4)
    monkeypatch.setattr("curation.ingest.BATCH", 3)
    said: list[tuple[int, int]] = []
    with shown_by(lambda label, done, total: said.append((done, total)) if "reading" in label else None):
        assert run(store, root)[0].found == 12
    assert store.records() == whole.records()
    assert {total for _, total in said} == {UNKNOWN, 12} and said[-1] == (12, 12)
    (root / "007.png").unlink()
    (root / "002.png").write_bytes(encoded(scene(33)))
    ingested, _ = run(store, root)
    assert (ingested.unchanged, ingested.read, ingested.removed) == (10, 1, 2)
    assert dict(ingested.refused) == {"not_a_picture": 1}


def test_an_empty_folder_is_an_error_and_removes_nothing(store: Store, folder: MakeFolder) -> None:
    root = folder(1, 2)
    run(store, root)
    for picture in root.iterdir():
        picture.unlink()
    with pytest.raises(SourceError, match="no pictures"):
        run(store, root)
    assert len(by_name(store)) == 2


def test_another_threshold_reads_nothing_and_another_filter_measures_once(store: Store, folder: MakeFolder) -> None:
    root = folder(*range(4))
    run(store, root, [Resolution()])
    assert curate(store, [Resolution(shortest=80)], Split()).refused == {"too_small": 4}
    assert curate(store, [Resolution()], Split()).kept == 4
    more = [Resolution(), Sharpness()]
    assert run(store, root, more)[0].decoded == 4
    assert run(store, root, more)[0].read == 0
    assert run(store, root, [Resolution(), Sharpness(least=1.0)])[0].read == 0
    assert run(store, root, more, reading=Reading(matte=(0, 0, 0)))[0].decoded == 4


def test_the_machines_faults_are_tried_again_and_the_pictures_are_not(store: Store, folder: MakeFolder) -> None:
    root = folder(1)
    (root / "fatal.png").write_bytes(encoded(np.full((8, 8, 3), hooks.FATAL, np.uint8)))
    (root / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(30))
    trapped = [hooks.Trap()]
    assert dict(run(store, root, trapped)[0].refused) == {"unsupported_format": 1, "worker_died": 1}
    assert run(store, root, trapped)[0].read == 1
    assert dict(run(store, root, [Resolution(shortest=1)])[0].refused) == {"unsupported_format": 1}
    assert by_name(store)["fatal.png"].verdict == "kept"


def test_captions_beside_pictures_come_along_but_never_over_a_persons(store: Store, folder: MakeFolder) -> None:
    root = folder(1, 2, 3, 4)
    for name in ("001", "002", "003"):
        (root / f"{name}.txt").write_text(f"beside {name}")
    run(store, root)
    records = by_name(store)
    store.put_captions([Caption(record.id, automatic="by machine", engine="e") for record in records.values()])
    store.edit_caption(records["002.png"].id, "edited")
    store.edit_caption(records["004.png"].id, "by hand")
    (root / "001.txt").write_text("beside 001, better")
    (root / "002.txt").write_text("beside 002, better")
    (root / "003.txt").unlink()
    (root / "004.png").write_bytes(encoded(scene(44)))
    run(store, root)
    expected = {"001.png": "beside 001, better", "002.png": "edited", "003.png": "", "004.png": "by hand"}
    assert user_captions(store) == expected
    assert store.captions()[records["001.png"].id].automatic == "by machine"
    store.edit_caption(records["001.png"].id, "")
    run(store, root)
    assert user_captions(store)["001.png"] == "", "what a person cleared stays clear until the file changes"


def test_a_folder_that_moved_is_the_same_source(store: Store, folder: MakeFolder, tmp_path: Path) -> None:
    root = folder(1, 2, 3)
    run(store, root)
    manifest = store.snapshot().manifest
    moved = tmp_path / "elsewhere" / "pictures"
    moved.parent.mkdir()
    shutil.move(root, moved)
    ingested, _ = run(store, moved)
    assert (ingested.read, ingested.decoded, ingested.new, ingested.removed) == (3, 0, 0, 0)
    assert store.snapshot().manifest == manifest
    assert by_name(store)["001.png"].uri == str(moved / "001.png")


def test_sources_that_are_no_longer_named_are_set_aside_and_come_back(store: Store, folder: MakeFolder) -> None:
    first, second = folder(1, 2, name="first"), folder(3, name="second")
    run(store, first)
    run(store, second)
    assert curate(store, FILTERS, Split(), sources=["second"]).kept == 1
    assert curate(store, FILTERS, Split(), sources=["second"]).removed == 2
    assert curate(store, FILTERS, Split(), sources=["first", "second"]).kept == 3
    curate(store, FILTERS, Split(), sources=["second"])
    assert run(store, first)[0].returned == 2


def test_what_was_made_from_a_picture_goes_with_it(store: Store, folder: MakeFolder) -> None:
    root = folder(*range(6))
    run(store, root)
    parents = sorted((r for r in store.records() if r.split == "train"), key=lambda r: r.name)
    made = [r.derive(Resolution(), sha256=f"made {r.name}", seed=1, drawn={}, width=9, height=9) for r in parents]
    tired = replace(made[1], verdict="removed")
    store.put_records([made[0], tired])
    deeper = made[0].derive(Resolution(), sha256="deeper", seed=1, drawn={}, width=9, height=9)
    store.put_records([deeper])
    (root / parents[0].name).unlink()
    run(store, root)
    records = {record.id: record for record in store.records()}
    assert [records[one.id].verdict for one in (made[0], deeper, tired)] == ["removed"] * 3
    (root / parents[0].name).write_bytes(encoded(scene(int(parents[0].name[:3]))))
    run(store, root)
    records = {record.id: record for record in store.records()}
    assert [records[one.id].verdict for one in (made[0], deeper, tired)] == ["kept", "kept", "removed"]
    assert records[deeper.id].group == records[parents[0].id].group


SCRIPT = """
import sys
from core.progress import UNKNOWN, shown_by
from curation import ingest as ingest_module
from curation.curate import curate, ingest
from curation.filter import Filter
from curation.reading import Reading
from curation.sources.folder import Folder
from curation.splits import Split
from store.store import Store

ingest_module.BATCH = 4
filters = [Filter.parse(kind) for kind in sys.argv[3:]]
with shown_by(lambda label, done, total: print(label, done, flush=True)):
    store = Store.open(sys.argv[1])
    ingest(store, Folder(path=sys.argv[2]), filters)
    curate(store, filters, Split())
"""


def test_an_ingest_that_is_killed_and_run_again_ends_with_the_same_manifest(tmp_path: Path, folder: MakeFolder) -> None:
    root = folder(*range(14))
    (root / "page.jpg").write_bytes(b"<html>")
    shutil.copy(root / "001.png", root / "copy.png")
    (root / "005.txt").write_text("a caption")
    undisturbed = Store.open(tmp_path / "undisturbed")
    run(undisturbed, root)
    reports = [f"reading pictures {done}" for done in range(1, 17)] + ["judging pictures 0"]
    for moment in (random.Random(1).randrange(16), 16):
        child = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path / "killed"), str(root), *KINDS],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip() == reports[moment]:
                child.kill()
                break
        assert child.wait() == -9, f"it ended before it said {reports[moment]!r}"
    killed = Store.open(tmp_path / "killed")
    run(killed, root)
    assert killed.snapshot().manifest == undisturbed.snapshot().manifest
    assert killed.size()["images"] == undisturbed.size()["images"]
    assert killed.records() == undisturbed.records()
    assert user_captions(killed) == user_captions(undisturbed) == {"005.png": "a caption"}
