"""A recipe may take its pictures from any kind of source."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.source import Source
from flows.kinds import all_kinds
from flows.recipe import read_recipe
from flows.stages import open_store, read_pictures
from tests.curation import web
from tests.curation.conftest import encoded, scene
from tests.curation.packing import tarred, zipped

PICTURES = {f"{number}.png": encoded(scene(number)) for number in range(3)}
WORDS = {"1.txt": b"a red box"}


def archive(root: Path) -> str:
    return str(zipped(root / "pictures.zip", {**PICTURES, **WORDS}))


def webdataset(root: Path) -> str:
    tarred(root / "a-000.tar", {**PICTURES, **WORDS})
    return f"{root}/a-{{000..000}}.tar"


def huggingface(root: Path) -> str:
    rows = [{"image": data, "text": "a red box" if name == "1.png" else ""} for name, data in PICTURES.items()]
    pq.write_table(pa.Table.from_pylist(rows), root / "train-00000-of-00001.parquet")
    return str(root / "train-00000-of-00001.parquet")


def kohya(root: Path) -> str:
    folder = root / "set" / "4_"
    folder.mkdir(parents=True)
    for name, data in {**PICTURES, **WORDS}.items():
        (folder / name).write_bytes(data)
    return str(root / "set")


MADE: Mapping[str, Callable[[Path], str]] = {
    "archive": archive,
    "webdataset": webdataset,
    "huggingface": huggingface,
    "kohya": kohya,
}


def ingested(tmp_path: Path, kind: str, path: str) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"name: a\nhome: {tmp_path}/home\npictures: {{kind: {kind}, path: '{path}'}}\n")
    read = read_recipe(recipe)
    store = open_store(read)
    first = read_pictures(read, store)
    assert (first.found, first.new, dict(first.refused)) == (3, 3, {})
    assert [one.user for one in store.captions().values() if one.user] == ["a red box"]
    again = read_pictures(read, store)
    assert (again.unchanged, again.read, again.removed) == (3, 0, 0)
    assert {record.source for record in store.records()} == {read.pictures.name}


@pytest.mark.parametrize("kind", MADE)
def test_a_recipe_reads_from_every_kind_of_file(tmp_path: Path, kind: str) -> None:
    ingested(tmp_path, kind, MADE[kind](tmp_path))


def test_a_recipe_reads_from_a_list_of_addresses(tmp_path: Path) -> None:
    with web.site() as site:
        rows = [f"{site.url}/fine/{number}.png,{'a red box' if number == 1 else ''}" for number in range(3)]
        (tmp_path / "list.csv").write_text("\n".join(["url,caption", *rows]))
        ingested(tmp_path, "url_list", str(tmp_path / "list.csv"))


@pytest.mark.parametrize("kind", Source.kinds())
def test_every_key_of_a_source_is_told_with_words(kind: str) -> None:
    keys = all_kinds("source")["source"][kind]["keys"]
    assert keys and all(key["help"] for key in keys.values())
