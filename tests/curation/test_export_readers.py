"""Each layout loaded by the library that defines it."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.hashing import sha256_of
from curation.export import Export
from curation.exporting import Exported, export
from store.store import Store
from tests.curation.conftest import opened
from tests.curation.exports import Told, an_item, kept, written


def test_an_image_folder_is_what_datasets_loads(many_kinds: Store, tmp_path: Path) -> None:
    import datasets

    done = written(many_kinds, "imagefolder", tmp_path / "out")
    loaded = datasets.load_dataset("imagefolder", data_dir=str(done.folder), cache_dir=str(tmp_path / "cache"))
    as_datasets_has_it(many_kinds, done, loaded, json.loads)


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


def test_parquet_is_what_datasets_loads_with_its_pictures_as_pictures(many_kinds: Store, tmp_path: Path) -> None:
    import datasets

    done = written(many_kinds, "parquet", tmp_path / "out")
    loaded = datasets.load_dataset(str(done.folder), cache_dir=str(tmp_path / "cache"))
    as_datasets_has_it(many_kinds, done, loaded, list)
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


def test_shards_are_what_webdataset_reads(many_kinds: Store, tmp_path: Path) -> None:
    import webdataset

    done = export(many_kinds, Export.parse({"kind": "webdataset", "megabytes": 1}), tmp_path / "out")
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
    assert found == kept(many_kinds)
