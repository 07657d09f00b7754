import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from core.caption import Caption
from core.errors import DiskFull, StoreError
from core.record import Reason
from store.store import Store
from tests.store.things import a_caption, a_record, all_rows, an_image, files_of


def test_pictures_come_back_byte_for_byte_and_are_stored_once(store: Store) -> None:
    images = [an_image(number) for number in range(5)]
    assert store.put_images([*images, images[0]]) == 5
    before = files_of(Path(store.uri))
    assert store.put_images(images) == 0
    assert files_of(Path(store.uri)) == before
    assert [store.image(image.sha256) for image in images] == [image.data for image in images]
    assert store.has_images([images[0].sha256, "0" * 64]) == {images[0].sha256}


def test_several_pictures_are_had_together_in_any_order_and_one_that_is_not_there_is_named(store: Store) -> None:
    images = [an_image(number) for number in range(6)]
    store.put_images(images)
    asked = [images[at].sha256 for at in (5, 0, 3, 0)]
    assert store.several_images(asked) == {images[at].sha256: images[at].data for at in (5, 0, 3)}
    assert store.several_images([]) == {}
    with pytest.raises(StoreError, match="no picture " + "0" * 64):
        store.several_images([asked[0], "0" * 64])


def test_a_picture_that_another_object_stored_is_found(store: Store) -> None:
    store.has_images(["0" * 64])
    Store.open(store.uri).put_images([an_image(1)])
    assert store.image(an_image(1).sha256) == an_image(1).data


def test_what_another_object_writes_is_read_although_the_rows_before_are_remembered(store: Store) -> None:
    other = Store.open(store.uri)
    first, second = a_record(1), a_record(2)
    store.put_records([first])
    assert store.records() == [first]
    other.put_records([second, replace(first, group="another")])
    assert sorted(r.group for r in store.records()) == sorted([second.group, "another"])
    other.put_captions([Caption(first.id, user="a lantern")])
    assert store.captions()[first.id].user == "a lantern"
    other.edit_caption(first.id, "a lamp")
    assert store.captions()[first.id].user == "a lamp"
    tag = store.snapshot().tag
    other.put_records([first])
    assert (len(store.records()), {r.group for r in store.records(tag=tag)}) == (2, {second.group, "another"})


def test_every_picture_is_found_however_many_commits_brought_it(store: Store) -> None:
    other = Store.open(store.uri)
    images = [an_image(number) for number in range(40)]
    for start in range(0, 40, 4):
        (store if start % 8 else other).put_images(images[start : start + 4])
        assert store.has_images([image.sha256 for image in images]) == {i.sha256 for i in images[: start + 4]}
    assert [store.image(image.sha256) for image in images] == [image.data for image in images]


def test_the_tables_are_made_so_that_lance_can_keep_its_word(store: Store) -> None:
    for table in store._tables.values():
        dataset = table.dataset()
        assert dataset.has_stable_row_ids
        assert dataset.list_indices() == []  # one on the key would let duplicates in
        key = dataset.schema.field(table.key)
        assert not key.nullable
        assert key.metadata[b"lance-schema:unenforced-primary-key:position"] == b"1"


def test_a_missing_picture_is_an_error_that_names_it(store: Store) -> None:
    with pytest.raises(StoreError, match="has no picture abc"):
        store.image("abc")


@pytest.mark.usefixtures("in_a_folder")
def test_a_damaged_picture_is_noticed_when_it_is_read(store: Store) -> None:
    store.put_images([an_image(1)])
    (blobs,) = (path for path in (Path(store.uri) / "images.lance" / "data").rglob("*") if b"picture 1" in read(path))
    blobs.write_bytes(blobs.read_bytes().replace(b"picture 1", b"picture 2"))
    with pytest.raises(StoreError, match="is damaged"):
        Store.open(store.uri).image(an_image(1).sha256)


def read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def test_records_are_replaced_by_id_and_equal_ones_are_not_written(store: Store) -> None:
    records = [a_record(number) for number in range(30)]
    assert store.put_records(records) == 30
    before = files_of(Path(store.uri))
    assert store.put_records(reversed(records)) == 0
    assert files_of(Path(store.uri)) == before
    refused = records[7].refuse(Reason("too_small", "8 x 6 pixels, 64 x 64 are asked for"))
    assert store.put_records([*records, refused]) == 1
    expected = sorted([*records[:7], refused, *records[8:]], key=lambda record: record.id)
    assert store.records() == expected
    assert len(all_rows(store, "records")) == 30


def test_an_automatic_caption_never_touches_what_a_person_wrote(store: Store) -> None:
    store.put_records([a_record(1), a_record(2)])
    store.put_captions([a_caption(1), a_caption(2)])
    store.edit_caption(a_record(1).id, "a red apple")
    assert store.put_captions([a_caption(1, automatic="apple", engine="engine-2"), a_caption(2)]) == 1
    captions = store.captions()
    assert captions[a_record(1).id] == Caption(a_record(1).id, "apple", {"number": 0.5}, "engine-2", user="a red apple")
    assert captions[a_record(1).id].text == "a red apple"
    assert captions[a_record(2).id].text == "number 2"


def test_a_sidecar_caption_keeps_the_automatic_one_and_an_emptied_edit_gives_it_back(store: Store) -> None:
    store.put_records([a_record(1)])
    store.put_captions([a_caption(1)])
    store.put_captions([Caption(a_record(1).id, user="by hand")])
    assert store.captions()[a_record(1).id] == a_caption(1, user="by hand")
    store.edit_caption(a_record(1).id, "")
    assert store.captions()[a_record(1).id] == a_caption(1)


def test_a_caption_of_an_unknown_record_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="no record 'nobody'"):
        store.edit_caption("nobody", "text")


def test_nothing_to_put_is_nothing_done(store: Store) -> None:
    before = {path for path in files_of(Path(store.uri)) if path.suffix != ".lock"}
    assert store.put_images([]) == store.put_records([]) == store.put_captions([]) == 0
    store.cache("latents").put({})
    assert store.cache("latents").get([]) == {}
    assert {path for path in files_of(Path(store.uri)) if path.suffix != ".lock"} == before
    assert set(store.size().values()) == {0}


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"jpeg")
    with pytest.raises(StoreError, match=r"not a store of Velatura: it holds holiday\.jpg"):
        Store.open(tmp_path)
    assert files_of(tmp_path) == {tmp_path / "holiday.jpg"}
    with pytest.raises(StoreError, match="is a file"):
        Store.open(tmp_path / "holiday.jpg")


@pytest.mark.parametrize(("text", "words"), [(json.dumps({"format": 99}), "format 99"), ("{", "damaged")])
def test_a_store_of_another_format_is_left_alone(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "velatura.json").write_text(text)
    with pytest.raises(StoreError, match=words):
        Store.open(tmp_path)


def test_a_store_whose_making_was_interrupted_is_completed(tmp_path: Path) -> None:
    (tmp_path / ".velatura.json.123.partial").write_text("{")
    store = Store.open(tmp_path)
    for table in ("captions", "latents"):
        subprocess.run(["rm", "-r", str(tmp_path / f"{table}.lance")], check=True)
    again = Store.open(tmp_path)
    assert again.put_captions([a_caption(1)]) == 1
    assert again.size() == {**dict.fromkeys(store.size(), 0), "captions": 1}


def test_a_table_with_other_columns_is_refused_with_words(tmp_path: Path) -> None:
    import lancedb
    import pyarrow

    store = Store.open(tmp_path)
    lancedb.connect(store.uri).create_table(
        "captions", schema=pyarrow.schema([("record", pyarrow.string())]), mode="overwrite"
    )
    with pytest.raises(StoreError, match="another version of Velatura"):
        Store.open(tmp_path).captions()


def test_a_store_travels_to_another_process_by_name(store: Store) -> None:
    store.put_records([a_record(3)])
    there = pickle.loads(pickle.dumps(store))
    assert there.uri == store.uri
    assert there.records() == [a_record(3)]


def test_the_module_is_imported_without_lancedb() -> None:
    code = "import sys, store.store; assert not {'lancedb', 'lance', 'torch'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_a_full_disk_is_said_in_words_and_loses_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("only root may mount the small disk that this test fills")
    try:
        store = Store.open(disk / "store")
        store.put_images([an_image(0)])
        store.put_records([a_record(0)])
        with pytest.raises(DiskFull, match="no room left"):
            store.put_images(an_image(number, size=500_000) for number in range(1, 20))
        (disk / "filler").write_bytes(b"")
        with pytest.raises(OSError, match="No space"), (disk / "filler").open("ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        with pytest.raises(DiskFull):
            store.put_records([a_record(number) for number in range(1, 500)])
        with pytest.raises(DiskFull):
            store.snapshot()
        again = Store.open(disk / "store")
        assert again.records() == [a_record(0)]
        assert again.image(an_image(0).sha256) == an_image(0).data
        (disk / "filler").unlink()
        assert again.put_records([replace(a_record(0), weight=2.0)]) == 1
        assert again.snapshot().count == 1
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
