"""Licences from the columns and JSON files beside pictures, all the way into the card and through an export."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.card import card
from curation.curate import curate
from curation.export import Export
from curation.ingest import ingest
from curation.source import Source
from curation.sources.archive import Archive
from curation.sources.folder import Folder
from curation.sources.huggingface import Huggingface
from curation.sources.url_list import UrlList
from curation.sources.webdataset import Webdataset
from curation.splits import Split
from store.store import Store
from tests.curation.conftest import encoded, scene
from tests.curation.exports import MATCHING, written
from tests.curation.packing import tarred, zipped

BY = "CC BY 4.0"


def beside(root: Path) -> Path:
    """A picture whose JSON file has caption and licence, and one whose caption stands in a text."""
    root.mkdir()
    for name in "abc":
        (root / f"{name}.png").write_bytes(encoded(scene(ord(name))))
    (root / "a.json").write_text(json.dumps({"caption": "a box", "license": BY}))
    (root / "b.txt").write_text("boxes")
    (root / "b.json").write_text(json.dumps({"caption": "not this", "Licence": f" {BY}\n", "id": 3}))
    return root


def in_jsonl(root: Path) -> Source:
    for name in ("a.json", "b.json", "b.txt"):
        (root / name).unlink()
    rows = [{"file_name": "a.png", "text": "a box", "license": BY}, {"file_name": "b.png", "text": "boxes"}]
    rows[1]["license"] = BY
    (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return Huggingface(path=str(root))


def in_csv(root: Path) -> Source:
    in_jsonl(root)
    (root / "metadata.jsonl").unlink()
    (root / "metadata.csv").write_text(f"file_name,caption,Licence\na.png,a box,{BY}\nb.png,boxes,{BY}\nc.png,,\n")
    return Huggingface(path=str(root))


def in_parquet(root: Path) -> Source:
    rows = [
        {"image": {"bytes": (root / f"{name}.png").read_bytes(), "path": f"{name}.png"}, "text": text, "license": said}
        for name, text, said in (("a", "a box", BY), ("b", "boxes", BY), ("c", "", None))
    ]
    pq.write_table(pa.Table.from_pylist(rows), root.parent / "set.parquet")
    return Huggingface(path=str(root.parent / "set.parquet"))


def in_archive(root: Path) -> Source:
    zipped(root.parent / "set.zip", {path.name: path.read_bytes() for path in sorted(root.iterdir())})
    return Archive(path=str(root.parent / "set.zip"))


def in_shards(root: Path) -> Source:
    tarred(root.parent / "set.tar", {path.name: path.read_bytes() for path in sorted(root.iterdir())})
    return Webdataset(path=str(root.parent / "set.tar"))


def in_folder(root: Path) -> Source:
    return Folder(path=str(root))


@pytest.mark.parametrize("source", [in_folder, in_archive, in_shards, in_jsonl, in_csv, in_parquet])
def test_each_source_tells_the_licences_that_stand_beside_its_pictures(tmp_path: Path, source) -> None:
    pictures = [(one.caption, one.licence) for one in source(beside(tmp_path / "set")).pictures()]
    assert sorted(pictures) == [("", ""), ("a box", BY), ("boxes", BY)]


def test_a_list_of_addresses_has_a_column_of_licences(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"url,caption,license\nhttp://a.b/1.png,one,{BY}\nhttp://a.b/2.png,two,\n")
    assert [one.licence for one in UrlList(path=str(tmp_path / "list.csv")).pictures()] == [BY, ""]


def test_what_the_source_says_is_on_the_card_and_a_change_of_it_is_seen_without_reading_a_picture(
    tmp_path: Path,
) -> None:
    root = beside(tmp_path / "set")
    store = Store.open(tmp_path / "store")
    ingest(store, Folder(path=str(root)))
    curate(store, [], Split())
    manifest = store.snapshot().manifest
    assert card(store).licences.known == {BY: 2}
    (root / "a.json").write_text(json.dumps({"caption": "a box", "license": "CC0"}))
    told = ingest(store, Folder(path=str(root)))
    assert (told.read, told.unchanged) == (0, 3)
    found = card(store).licences
    assert (found.known, found.by_source, found.of) == ({BY: 1, "CC0": 1}, 2, 3)
    assert store.snapshot().manifest == manifest, "nothing that is trained on has changed"


@pytest.mark.parametrize("kind", Export.kinds())
def test_licences_go_out_and_come_back(tmp_path: Path, kind: str) -> None:
    store = Store.open(tmp_path / "store")
    ingest(store, Folder(path=str(beside(tmp_path / "set"))))
    curate(store, [], Split())
    written(store, kind, tmp_path / "out")
    assert {one.name: one.licence for one in MATCHING[kind](tmp_path / "out").pictures()} == {
        "a.png": BY,
        "b.png": BY,
        "c.png": "",
    }
