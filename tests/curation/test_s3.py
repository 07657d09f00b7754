"""Every source reads from S3, or from anything else that fsspec knows, as it does from a disk."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import MissingExtra, SourceError
from curation.ingest import ingest
from curation.places import Place
from curation.source import Source
from curation.sources.archive import Archive
from curation.sources.folder import Folder
from curation.sources.huggingface import Huggingface
from curation.sources.url_list import UrlList
from curation.sources.webdataset import Webdataset
from store.store import Store
from tests.curation.conftest import encoded, scene
from tests.curation.packing import by_name, refused_with, tarred, zipped
from tests.curation.test_huggingface import image_folder, table
from tests.s3 import KEYS, environment, s3_server


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """An empty bucket, and an environment that leads to it."""
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)
    url = f"s3://bucket-{abs(hash(request.node.name))}"
    fsspec.filesystem("s3").mkdir(url)
    return url


def upload(what: Path, url: str) -> str:
    fsspec.filesystem("s3").put(str(what), url, recursive=what.is_dir())
    return url


def pictures(root: Path) -> Path:
    (root / "sub" / ".git").mkdir(parents=True)
    for number, name in enumerate(("a.png", "sub/b.png", "sub/odd", "sub/.git/c.png")):
        (root / name).write_bytes(encoded(scene(number)))
    (root / "sub" / "b.txt").write_text("a box")
    (root / "notes").write_text("no picture")
    return root


def is_the_same(there: Source, here: Source) -> None:
    """Whether both give the same pictures with the same words."""
    far, near = by_name(there), by_name(here)
    assert there.waits > 1 and far.keys() == near.keys() and far
    for name, picture in far.items():
        assert (picture.size, picture.caption, picture.tags) == (near[name].size, near[name].caption, near[name].tags)
        assert refused_with(picture) == "" == refused_with(near[name])
        assert picture.read() == near[name].read()
        assert picture.uri.startswith("s3://")


def test_a_folder(bucket: str, tmp_path: Path) -> None:
    root = pictures(tmp_path / "pictures")
    is_the_same(Folder(path=upload(root, f"{bucket}/pictures")), Folder(path=str(root)))
    assert Folder(path=f"{bucket}/pictures/").name == "pictures"


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_an_archive(bucket: str, tmp_path: Path, name: str) -> None:
    members = {f"{number}.png": encoded(scene(number)) for number in range(12)} | {"3.txt": b"a box"}
    path = (zipped if name == "a.zip" else tarred)(tmp_path / name, members)
    is_the_same(Archive(path=upload(path, f"{bucket}/{name}")), Archive(path=str(path)))


def test_shards_by_stars_and_by_braces(bucket: str, tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    for number in range(3):
        tarred(tmp_path / "shards" / f"s-{number}.tar", {"0.png": encoded(scene(number)), "0.txt": b"a box"})
    upload(tmp_path / "shards", f"{bucket}/shards")
    for pattern in ("*.tar", "s-{0..2}.tar", "s-[0-2].tar"):
        is_the_same(Webdataset(path=f"{bucket}/shards/{pattern}"), Webdataset(path=f"{tmp_path}/shards/{pattern}"))


def test_parquet_files_and_a_folder_with_metadata(bucket: str, tmp_path: Path) -> None:
    root = image_folder(tmp_path / "set")
    (root / "metadata.csv").write_text("file_name,caption\na.png,one\n")
    pq.write_table(table([4, 5], text=["x", "y"]), root / "more.parquet", row_group_size=1)
    is_the_same(Huggingface(path=upload(root, f"{bucket}/set")), Huggingface(path=str(root)))
    is_the_same(Huggingface(path=f"{bucket}/set/*.parquet"), Huggingface(path=f"{root}/*.parquet"))


def test_a_list_of_addresses(bucket: str, tmp_path: Path) -> None:
    upload(pictures(tmp_path / "pictures"), f"{bucket}/pictures")
    rows = [{"url": f"{bucket}/pictures/a.png", "caption": "a box"}, {"url": f"{bucket}/gone.png", "caption": ""}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "list.parquet")
    there, gone = by_name(UrlList(path=upload(tmp_path / "list.parquet", f"{bucket}/list.parquet"))).values()
    assert there.read() == encoded(scene(0)) and there.caption == "a box"
    assert "does not exist" in refused_with(gone)


def test_what_changed_is_seen_and_only_that_is_read_again(bucket: str, tmp_path: Path) -> None:
    root = pictures(tmp_path / "pictures")
    source = Folder(path=upload(root, f"{bucket}/pictures"))
    store = Store.open(tmp_path / "store")
    assert ingest(store, source).new == 3
    assert ingest(store, source).unchanged == 3
    (root / "a.png").write_bytes(encoded(scene(8)))
    upload(root / "a.png", f"{bucket}/pictures/a.png")
    again = ingest(store, source)
    assert (again.unchanged, again.read, again.new, again.removed) == (2, 1, 1, 1)


def test_what_is_not_there_is_an_error_in_words(bucket: str) -> None:
    for source, words in (
        (Folder(path=f"{bucket}/gone"), "does not exist"),
        (Folder(path="s3://no-such-bucket-at-all/x"), "no-such-bucket-at-all"),
        (Archive(path=f"{bucket}/gone.zip"), "does not exist"),
        (Webdataset(path=f"{bucket}/*.tar"), "no such file"),
        (Huggingface(path=f"{bucket}/gone"), "does not exist"),
        (UrlList(path=f"{bucket}/gone.csv"), "does not exist"),
        (Folder(path="nonsense://x/y"), "Protocol not known: nonsense"),
    ):
        with pytest.raises(SourceError, match=words):
            list(source.pictures())


def test_a_server_that_is_not_there_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").clear_instance_cache()
    try:
        with pytest.raises(SourceError, match="s3://bucket/x cannot be listed: .*Could not connect"):
            list(Folder(path="s3://bucket/x").pictures())
    finally:
        fsspec.filesystem("s3").clear_instance_cache()


def test_without_the_extra_the_command_that_installs_it_is_told() -> None:
    code = """
import sys
sys.modules["s3fs"] = None
from core.errors import MissingExtra
from curation.sources.folder import Folder
try:
    list(Folder(path="s3://bucket/x").pictures())
except MissingExtra as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert "pip install 'velatura[s3]'" in said.stdout
    with pytest.raises(MissingExtra, match="pip install 'gcsfs'"):
        Place.of("gs://bucket/x").stat()
