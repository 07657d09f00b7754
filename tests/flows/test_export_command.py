"""`velatura data export`, as a person calls it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from core.errors import ExportError, RecipeError, StoreError, UnknownKind
from curation.curate import curate, ingest
from curation.source import Source
from curation.splits import Split
from flows.command_line import app
from flows.home import Home
from store.store import Store
from tests.flows.pictures import six_pictures

Call = Callable[..., Result]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("home")
    store = Store.open(Home.of(str(root)).store("shapes"))
    ingest(store, Source.parse({"kind": "folder", "path": str(six_pictures(root / "pictures"))}))
    curate(store, [], Split(held_out=0.34))
    store.name(store.snapshot().tag, "first")
    return root


@pytest.fixture
def call(home: Path) -> Call:
    def run(*words: object) -> Result:
        command = ["data", "export", *map(str, words), "--home", str(home)]
        return CliRunner().invoke(app, command, catch_exceptions=False)

    return run


def test_a_dataset_is_exported_by_name_and_a_store_by_its_folder(call: Call, home: Path, tmp_path: Path) -> None:
    result = call("shapes", tmp_path / "one", "--as", "kohya", "--tag", "first")
    assert "6 pictures (2 held out) as kohya" in " ".join(result.output.split())
    assert (tmp_path / "one" / "dataset.toml").is_file()
    found = json.loads(call(home / "datasets" / "shapes", tmp_path / "two", "--split", "train", "--json").output)
    assert (found["pictures"], found["held_out"], found["kind"]) == (4, 0, "imagefolder")


def test_a_layouts_keys_follow_the_folder(call: Call, tmp_path: Path) -> None:
    call("shapes", tmp_path / "out", "resolution=0", "--as", "kohya")
    assert "resolution" not in (tmp_path / "out" / "dataset.toml").read_text()


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("shape", "out"), StoreError, "did you mean shapes?"),
        (("shapes", "out", "--as", "koya"), UnknownKind, "did you mean kohya?"),
        (("shapes", "out", "megabyte=3", "--as", "parquet"), RecipeError, "known here: megabytes"),
        (("shapes", "out", "megabytes"), RecipeError, "KEY=VALUE"),
        (("shapes", "out", "--tag", "data-0099"), StoreError, "no snapshot"),
        (("shapes", "full"), ExportError, "not empty"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(
    call: Call, tmp_path: Path, words: tuple[str, ...], error: type[Exception], said: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("x")
    name, folder, *rest = words
    with pytest.raises(error, match=said):
        call(name, tmp_path / folder, *rest)
    assert not (tmp_path / "out").exists()


def test_what_a_killed_export_left_is_told(call: Call, tmp_path: Path) -> None:
    (tmp_path / ".out.1234.partial").mkdir()
    assert ".out.1234.partial was left by an export" in call("shapes", tmp_path / "out").output
    assert (tmp_path / ".out.1234.partial").exists()
