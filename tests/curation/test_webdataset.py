import json
from pathlib import Path

import pytest

from core.errors import SourceError
from curation.ingest import ingest
from curation.sources.webdataset import Webdataset
from store.store import Store
from tests.curation.conftest import encoded, scene
from tests.curation.packing import by_name, refused_with, tarred


def shards(root: Path, count: int = 3, ending: str = ".tar") -> Path:
    """Two samples in each, whose keys begin anew in each shard."""
    root.mkdir(exist_ok=True)
    for shard in range(count):
        members = {
            "0000.png": encoded(scene(2 * shard)),
            "0000.txt": b"a red box",
            "0000.cls": b"1",
            "0001.jpg": encoded(scene(2 * shard + 1), "JPEG"),
            "0001.json": json.dumps({"caption": "a blue box", "url": "x"}).encode(),
            "0001.npy": b"numbers",
        }
        tarred(root / f"set-{shard:03}{ending}", members)
    return root


@pytest.mark.parametrize("ending", [".tar", ".tar.gz"])
def test_shards_are_pictures_with_the_captions_and_classes_of_their_keys(tmp_path: Path, ending: str) -> None:
    root = shards(tmp_path / "shards", ending=ending)
    source = Webdataset(path=f"{root}/set-{{000..002}}{ending}", classes=("cat", "dog"))
    pictures = by_name(source)
    assert source.name == "set"
    assert list(pictures) == [f"set-{n:03}/{name}" for n in range(3) for name in ("0000.png", "0001.jpg")]
    assert pictures["set-002/0000.png"].tags == ("dog",)
    assert pictures["set-002/0000.png"].read() == encoded(scene(4))
    assert [one.caption for one in pictures.values()] == ["a red box", "a blue box"] * 3
    starred = by_name(Webdataset(path=f"{root}/*{ending}"))
    assert list(starred) == list(pictures)
    assert starred["set-002/0000.png"].tags == (), "a number says nothing without its word"


def test_several_pictures_of_one_key_share_its_caption(tmp_path: Path) -> None:
    members = {"a/1.left.png": b"l", "a/1.right.png": b"r", "a/1.txt": b"two", "a/1.cls": b"box"}
    pictures = by_name(Webdataset(path=str(tarred(tmp_path / "s.tar", members))))
    assert {name: (one.caption, one.tags) for name, one in pictures.items()} == {
        "s/a/1.left.png": ("two", ("box",)),
        "s/a/1.right.png": ("two", ("box",)),
    }


def test_a_missing_shard_is_a_row_and_the_others_are_read(tmp_path: Path) -> None:
    root = shards(tmp_path / "shards")
    (root / "set-001.tar").unlink()
    pictures = by_name(Webdataset(path=f"{root}/set-{{000..002}}.tar"))
    assert len(pictures) == 5
    assert refused_with(pictures["set-001.tar"]) == "unreadable"
    with pytest.raises(SourceError, match="does not exist"):
        by_name(Webdataset(path=f"{root}/other-{{000..002}}.tar"))


def test_a_class_without_a_word_is_told(tmp_path: Path) -> None:
    root = shards(tmp_path / "shards", 1)
    pictures = by_name(Webdataset(path=f"{root}/*.tar", classes=("cat",)))
    assert "class 1; `classes` names 1" in pictures["set-000/0000.png"].note


def test_shards_become_records_and_a_new_shard_is_all_that_is_read_later(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    source = Webdataset(path=f"{shards(tmp_path / 'shards')}/*.tar", classes=("cat", "dog"))
    first = ingest(store, source)
    assert (first.new, dict(first.refused)) == (6, {})
    shards(tmp_path / "shards", 4)
    again = ingest(store, source)
    assert (again.unchanged, again.read, again.new) == (6, 2, 2)
    assert {record.tags for record in store.records()} == {("dog",), ()}
    assert {caption.user for caption in store.captions().values()} == {"a red box", "a blue box"}


def test_what_the_webdataset_library_writes_is_read(tmp_path: Path) -> None:
    import webdataset

    with webdataset.ShardWriter(f"{tmp_path}/w-%03d.tar", maxcount=2, verbose=0) as writer:
        for number in range(3):
            writer.write({"__key__": f"{number:04}", "png": encoded(scene(number)), "txt": f"box {number}", "cls": 1})
    pictures = by_name(Webdataset(path=f"{tmp_path}/*.tar", classes=("cat", "dog")))
    assert [(one.caption, one.tags) for one in pictures.values()] == [(f"box {n}", ("dog",)) for n in range(3)]
    assert [one.read() for one in pictures.values()] == [encoded(scene(n)) for n in range(3)]
