import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from augment.augment import augment
from augment.transforms.black_and_white import BlackAndWhite
from core.errors import ExportError, NotEnoughData
from core.hashing import sha256_of
from core.marks import DERIVED, KEEP_TOKENS, REGULARISATION
from core.progress import shown_by
from core.record import Record
from curation.curate import curate
from curation.decode import decode
from curation.export import Export, Item
from curation.export_names import shards, stems, suffix_of
from curation.exporting import Exported, export
from curation.ingest import ingest
from curation.source import Found, Source
from curation.sources.folder import Folder
from curation.sources.huggingface import Huggingface
from curation.sources.kohya import Kohya
from curation.sources.webdataset import Webdataset
from curation.splits import Split
from store.store import Store
from tests.curation.conftest import encoded, opened, scene

MATCHING: dict[str, Callable[[Path], Source]] = {
    "kohya": lambda folder: Kohya(path=str(folder)),
    "imagefolder": lambda folder: Huggingface(path=str(folder)),
    "parquet": lambda folder: Huggingface(path=str(folder)),
    "webdataset": lambda folder: Webdataset(path=str(folder / "*.tar")),
}
Told = tuple[str, str, str, float, tuple[str, ...]]
"""what an import must give again: name, content hash, caption, weight, tags"""


def test_every_layout_has_a_matching_source() -> None:
    assert set(MATCHING) == set(Export.kinds())


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Store:
    """A store to change as one likes."""
    return Store.open(shutil.copytree(made, tmp_path / "store"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirteen pictures of several formats from two sources, curated; one refused, some made from others."""
    tmp_path = tmp_path_factory.mktemp("made")
    root = tmp_path / "mine"
    (root / "sub").mkdir(parents=True)
    files = {
        "a.png": encoded(scene(1)),
        "A.jpg": encoded(scene(2), "JPEG"),
        "sub/a.png": encoded(scene(3)),
        "really a jpeg.png": encoded(scene(4), "JPEG"),
        "ünï: cödé?.webp": encoded(scene(5), "WEBP"),
        "no suffix": encoded(scene(6), "GIF"),
        "two.dots.png": encoded(scene(7)),
    }
    for name, data in files.items():
        (root / name).write_bytes(data)
    (root / "a.txt").write_text('a "quoted" cat, ünï')
    (root / "broken.png").write_bytes(b"<html>")
    kohya = tmp_path / "kohya"
    for name, seeds in (("img/10_sks dog", (11, 12, 13)), ("img/3_sks dog", (14,)), ("reg/1_dog", (15, 16))):
        (kohya / name).mkdir(parents=True)
        for seed in seeds:
            (kohya / name / f"{seed}.png").write_bytes(encoded(scene(seed)))
    store = Store.open(tmp_path / "store")
    ingest(store, Folder(path=str(root)))
    ingest(store, Kohya(path=str(kohya)))
    curate(store, [], Split(held_out=0.3))
    augment(store, [BlackAndWhite()], 1, 0, lambda record: decode(store.image(record.sha256)).pixels)
    return tmp_path / "store"


def told(pictures: Iterable[Found]) -> Counter[Told]:
    return Counter((p.name, sha256_of(p.read()), p.caption, p.weight, p.tags) for p in pictures)


def kept(store: Store, *, derived: bool = False) -> Counter[Told]:
    """What the store holds, as an export should say it."""
    captions = store.captions()
    return Counter(
        (r.name, r.sha256, captions[r.id].text if r.id in captions else "", r.weight, r.tags)
        for r in store.records()
        if r.verdict == "kept" and (derived or r.depth == 0)
    )


def written(store: Store, kind: str, folder: Path, **how: object) -> Exported:
    return export(store, Export.parse(kind), folder, **how)


@pytest.mark.parametrize("kind", Export.kinds())
def test_importing_an_export_gives_contents_captions_weights_tags_and_names_again(
    store: Store, kind: str, tmp_path: Path
) -> None:
    done = written(store, kind, tmp_path / "out")
    assert done.pictures == sum(kept(store).values()) == 13
    assert done.held_out
    assert told(MATCHING[kind](tmp_path / "out").pictures()) == kept(store)
    again = Store.open(tmp_path / "again")
    ingest(again, MATCHING[kind](tmp_path / "out"))
    assert kept(again) == kept(store)


@pytest.mark.parametrize("kind", Export.kinds())
def test_derived_pictures_come_along_if_asked_and_stay_beside_the_real_one_when_imported(
    store: Store, kind: str, tmp_path: Path
) -> None:
    done = written(store, kind, tmp_path / "out", derived=True, side="train")
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


def test_kohyas_layout_stands_on_the_disk_and_its_dataset_file_names_what_is_trained_on(
    store: Store, tmp_path: Path
) -> None:
    done = written(store, "kohya", tmp_path / "out")
    folders = {p.parent.relative_to(done.folder).as_posix() for p in done.folder.rglob("*.png")}
    assert "regularisation/1_dog" in folders
    assert {"train", "held_out", "regularisation"} == {name.partition("/")[0] for name in folders}
    assert folders & {"train/10_sks dog", "held_out/10_sks dog"}
    for picture in done.folder.rglob("*"):
        if picture.suffix in (".png", ".jpg", ".webp", ".gif"):
            assert len(picture.with_suffix(".txt").read_text().splitlines()) == 1
            assert opened(picture.read_bytes()).format == {".jpg": "JPEG"}.get(
                picture.suffix, picture.suffix[1:].upper()
            )
    assert done.notes == ("1 picture is of a format that kohya reads with a plugin or not at all",)
    trained = kept(written_without_held_out(store))
    assert told(Kohya(path=str(done.folder / "dataset.toml")).pictures()) == trained


def written_without_held_out(store: Store) -> Store:
    """The same store with nothing kept of the held-out side."""
    held = [record for record in store.records() if record.split == "held_out"]
    store.put_records(replace(record, verdict="removed") for record in held)
    return store


def test_a_change_by_hand_in_an_exported_kohya_folder_holds(store: Store, tmp_path: Path) -> None:
    done = written(store, "kohya", tmp_path / "out", side="train")
    (done.folder / "regularisation" / "1_dog").rename(done.folder / "regularisation" / "7_hound")
    beside = next((done.folder / "train").glob("*/*.txt"))
    beside.write_text("another caption")
    pictures = list(Kohya(path=str(done.folder)).pictures())
    assert {(p.weight, p.tags) for p in pictures if REGULARISATION in p.tags} == {(7.0, ("hound", REGULARISATION))}
    assert "another caption" in {p.caption for p in pictures}


def test_weights_that_are_not_whole_are_multiplied_for_kohya_and_come_back_exactly(tmp_path: Path) -> None:
    items = [an_item(str(at), weight=weight) for at, weight in enumerate((1.0, 0.25, 0.5, 0.0, 1 / 3))]
    (tmp_path / "out").mkdir()
    (note,) = Export.parse("kohya").write(items, tmp_path / "out", tmp_path / "out")
    assert "repeats are 12 times the weights" in note
    assert sorted(p.name for p in (tmp_path / "out" / "train").iterdir()) == ["0_", "12_", "3_", "4_", "6_"]
    assert told(Kohya(path=str(tmp_path / "out")).pictures()) == Counter(map(wanted, items))
    assert "num_repeats = 0" not in (tmp_path / "out" / "dataset.toml").read_text()


def test_tokens_that_stay_in_place_are_said_to_kohya(tmp_path: Path) -> None:
    items = [an_item("a", tags=("dog", f"{KEEP_TOKENS}2")), an_item("b", tags=("dog",))]
    (tmp_path / "out").mkdir()
    Export.parse("kohya").write(items, tmp_path / "out", tmp_path / "out")
    text = (tmp_path / "out" / "dataset.toml").read_text()
    assert text.count("keep_tokens = 2") == 1
    assert text.count("image_dir") == 2
    for path in (tmp_path / "out", tmp_path / "out" / "dataset.toml"):
        assert told(Kohya(path=str(path)).pictures()) == Counter(map(wanted, items))


def test_an_image_folder_is_what_datasets_loads(store: Store, tmp_path: Path) -> None:
    import datasets

    done = written(store, "imagefolder", tmp_path / "out")
    loaded = datasets.load_dataset("imagefolder", data_dir=str(done.folder), cache_dir=str(tmp_path / "cache"))
    as_datasets_has_it(store, done, loaded, json.loads)


NAMED_TO_CONFUSE = ("test.png", "sub/test/a.png", "val-1.png", "[x]*{a,b}.png", "__init__.png", "train", "metadata.png")


@pytest.mark.parametrize("tags", [((), ("a",)), (("a",), ()), ((), ())])
@pytest.mark.parametrize("kind", ["imagefolder", "parquet"])
def test_names_like_splits_and_sides_without_tags_do_not_confuse_datasets(
    kind: str, tags: tuple[tuple[str, ...], tuple[str, ...]], tmp_path: Path
) -> None:
    import datasets

    train = [an_item(name, at, tags=tags[0]) for at, name in enumerate(NAMED_TO_CONFUSE)]
    held = [an_item(f"{name}-", at, tags=tags[1], split="held_out") for at, name in enumerate(NAMED_TO_CONFUSE, 50)]
    (tmp_path / "out").mkdir()
    Export.parse(kind).write([*train, *held], tmp_path / "out", tmp_path / "out")
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    for split, items in (("train", train), ("validation", held)):
        assert sorted(loaded[split]["name"]) == sorted(item.name for item in items)
        assert set(loaded[split]["sha256"]) == {item.record.sha256 for item in items}


def test_parquet_is_what_datasets_loads_with_its_pictures_as_pictures(store: Store, tmp_path: Path) -> None:
    import datasets

    done = written(store, "parquet", tmp_path / "out")
    loaded = datasets.load_dataset(str(done.folder), cache_dir=str(tmp_path / "cache"))
    as_datasets_has_it(store, done, loaded, list)
    import pyarrow.parquet as pq

    (train,) = (done.folder / "data").glob("train-00000-of-00001.parquet")
    row = pq.read_table(train).to_pylist()[0]
    assert sha256_of(row["image"]["bytes"]) == row["sha256"]


def as_datasets_has_it(
    store: Store, done: Exported, loaded: dict[str, list[dict[str, object]]], tags_of: Callable[[object], list[str]]
) -> None:
    assert set(loaded) == {"train", "validation"}
    rows = [row for split in loaded.values() for row in split]
    said = Counter((r["name"], r["sha256"], r["text"], r["weight"], tuple(tags_of(r["tags"]))) for r in rows)
    assert said == kept(store)
    assert len(loaded["validation"]) == done.held_out
    for row in rows:
        original = opened(store.image(row["sha256"]))
        np.testing.assert_array_equal(np.asarray(row["image"]), np.asarray(original))


def test_shards_are_what_webdataset_reads(store: Store, tmp_path: Path) -> None:
    import webdataset

    done = export(store, Export.parse({"kind": "webdataset", "megabytes": 1}), tmp_path / "out")
    shards_there = sorted(str(path) for path in done.folder.glob("*.tar"))
    raw = {sample["__key__"]: sample for sample in webdataset.WebDataset(shards_there, shardshuffle=False)}
    samples = list(webdataset.WebDataset(shards_there, shardshuffle=False).decode("rgb8"))
    assert len(samples) == len(raw) == done.pictures
    found: Counter[Told] = Counter()
    for sample in samples:
        (suffix,) = sample.keys() & {"png", "jpg", "webp", "gif"}
        row, data = sample["json"], raw[sample["__key__"]][suffix]
        found[row["name"], sha256_of(data), sample["txt"], row["weight"], tuple(row["tags"])] += 1
        if suffix in ("png", "jpg"):
            np.testing.assert_array_equal(sample[suffix], np.asarray(opened(data).convert("RGB")))
    assert found == kept(store)


@pytest.mark.parametrize("kind", Export.kinds())
def test_equal_data_gives_equal_bytes(store: Store, kind: str, tmp_path: Path) -> None:
    first, second = (written(store, kind, tmp_path / name).folder for name in ("one", "two"))
    files = [{p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()} for root in (first, second)]
    assert files[0].keys() == files[1].keys()
    differing = {str(name) for name in files[0] if files[0][name] != files[1][name]}
    assert differing <= {"dataset.toml"}, "which says where it stands"


def test_only_one_side_is_written_if_asked_and_a_snapshot_is_as_it_was(store: Store, tmp_path: Path) -> None:
    tag = store.snapshot().tag
    everything = kept(store)
    held = written(store, "imagefolder", tmp_path / "held", side="held_out")
    assert held.pictures == held.held_out > 0
    assert not (held.folder / "train").exists()
    store.put_records(replace(record, verdict="removed") for record in store.records() if record.name != "a.png")
    assert written(store, "imagefolder", tmp_path / "now").pictures == 1
    then = written(store, "imagefolder", tmp_path / "then", tag=tag)
    assert told(Huggingface(path=str(then.folder)).pictures()) == everything


def test_nothing_of_the_users_is_written_over(store: Store, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    for name, words in (("full", "not empty: it holds mine.txt"), ("file", "is a file")):
        with pytest.raises(ExportError, match=words):
            written(store, "kohya", tmp_path / name)
    assert (tmp_path / "full" / "mine.txt").read_text() == "x"
    assert written(store, "kohya", tmp_path / "empty").folder == tmp_path / "empty"
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_an_export_without_pictures_and_one_that_fails_leave_nothing(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotEnoughData, match="nothing to export"):
        written(Store.open(tmp_path / "other"), "kohya", tmp_path / "out")

    def stop(label: str, done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), shown_by(stop):
        written(store, "kohya", tmp_path / "out")
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


def test_an_export_that_is_killed_leaves_nothing_that_looks_whole(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", KILLED, store.uri, str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    assert process.stdout.readline() == "three\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    assert [path.name for path in tmp_path.glob(".out.*.partial")] == [f".out.{process.pid}.partial"]
    assert written(store, "webdataset", out).pictures == 13


@cache
def a_picture(number: int) -> bytes:
    return encoded(Image.new("RGB", (8, 8), (number % 256, number // 256, 7)))


def an_item(name: str, number: int = 0, **fields: object) -> Item:
    """A picture as it would come out of a store."""
    data = a_picture(number)
    split, caption = str(fields.pop("split", "train")), str(fields.pop("caption", ""))
    record = replace(Record(name, sha256_of(data), "s", name, name, size=len(data), split=split), **fields)
    return Item(record, name, caption, record.tags, lambda: data)


def wanted(item: Item) -> Told:
    return item.name, item.record.sha256, item.caption, item.record.weight, item.tags


WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30).map(lambda text: " ".join(text.split()))
NAMES = st.lists(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=300), unique=True, max_size=6)
TAGS = st.lists(WORDS.filter(bool), max_size=3).map(tuple)
WEIGHTS = st.one_of(st.integers(0, 40).map(float), st.floats(0.001, 1000))


@pytest.mark.parametrize("kind", Export.kinds())
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_pictures_are_called_and_said_to_be_comes_back(kind: str, data: st.DataObject) -> None:
    items = [
        an_item(
            name,
            number,
            caption=data.draw(WORDS),
            tags=data.draw(TAGS),
            weight=data.draw(WEIGHTS),
            split=data.draw(st.sampled_from(["train", "held_out", ""])),
        )
        for number, name in enumerate(["first.png", *data.draw(NAMES.filter(lambda names: "first.png" not in names))])
    ]
    with tempfile.TemporaryDirectory() as folder:
        Export.parse(kind).write(items, Path(folder), Path(folder))
        assert told(MATCHING[kind](Path(folder)).pictures()) == Counter(map(wanted, items))


@given(NAMES)
def test_file_names_are_flat_safe_and_never_the_same(names: list[str]) -> None:
    given_names = stems(names)
    assert len({name.casefold() for name in given_names}) == len(names)
    for name in given_names:
        assert name
        assert not name.startswith(".")
        assert not set(name) & set('/\\:*?"<>|\n\0')
        assert len(name.encode()) < 200


@given(st.lists(st.integers(0, 100), max_size=40), st.integers(1, 150))
def test_shards_hold_everything_once_and_no_more_than_fits(sizes: list[int], most: int) -> None:
    cut = shards(sizes, most)
    assert [at for part in cut for at in part] == list(range(len(sizes)))
    assert all(sum(sizes[at] for at in part) <= most or len(part) == 1 for part in cut)


@pytest.mark.parametrize(
    ("name", "kind", "suffix"),
    [
        ("a.PNG", "PNG", ".png"),
        ("a.png", "JPEG", ".jpg"),
        ("a.jpeg", "JPEG", ".jpeg"),
        ("a", "WEBP", ".webp"),
        ("a.v2", "TGA", ".tga"),
        ("a.tga", "TGA", ".tga"),
        ("a.jpg", "TIFF", ".tif"),
    ],
)
def test_a_suffix_says_what_the_bytes_are(name: str, kind: str, suffix: str) -> None:
    assert suffix_of(name, encoded(scene(1), kind)) == suffix
