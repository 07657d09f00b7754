"""Two folders that are called the same are not taken for one; one that was moved or copied is."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import SourceError
from curation.ingest import ingest
from curation.source import Source
from curation.sources.archive import Archive
from curation.sources.folder import Folder
from store.store import Store
from tests.curation.conftest import encoded, scene
from tests.curation.packing import zipped


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


def filled(folder: Path, *seeds: int) -> Path:
    folder.mkdir(parents=True)
    for number, seed in enumerate(seeds):
        (folder / f"{number:03}.png").write_bytes(encoded(scene(seed, 90 + seed)))
    return folder


def of_folder(path: Path, label: str = "") -> Source:
    return Folder(path=str(path / "pictures"), label=label)


def of_archive(path: Path, label: str = "") -> Source:
    if (path / "pictures").exists():
        zipped(path / "pictures.zip", {one.name: one.read_bytes() for one in sorted((path / "pictures").iterdir())})
        shutil.rmtree(path / "pictures")
    return Archive(path=str(path / "pictures.zip"), label=label)


@pytest.mark.parametrize("source", [of_folder, of_archive])
def test_another_place_of_the_same_name_is_an_error_that_names_both(
    store: Store, tmp_path: Path, source: Callable[..., Source]
) -> None:
    """They even have files of the same names, as cameras and programs give them."""
    filled(tmp_path / "cats" / "pictures", 1, 2, 3)
    filled(tmp_path / "dogs" / "pictures", 4, 5, 6, 7)
    ingest(store, source(tmp_path / "cats"))
    before = store.records()
    both = rf"{tmp_path}/cats/pictures.*still there.*{tmp_path}/dogs/pictures"
    with pytest.raises(SourceError, match=both) as told:
        ingest(store, source(tmp_path / "dogs"))
    assert "pictures.label" in str(told.value)
    assert store.records() == before
    assert ingest(store, source(tmp_path / "dogs", "dogs")).new == 4
    assert {record.verdict for record in store.records()} == {"kept"}
    assert ingest(store, source(tmp_path / "dogs", "pictures")).removed == 3, "as the label says"


def test_a_folder_that_was_moved_or_copied_is_the_same_wherever_it_stands(store: Store, tmp_path: Path) -> None:
    filled(tmp_path / "old" / "pictures", 1, 2, 3)
    ingest(store, of_folder(tmp_path / "old"))
    ids = {record.id for record in store.records()}
    shutil.copytree(tmp_path / "old", tmp_path / "copy")
    (tmp_path / "copy" / "pictures" / "new.png").write_bytes(encoded(scene(9)))
    told = ingest(store, of_folder(tmp_path / "copy"))
    assert (told.new, told.removed) == (1, 0)
    assert ids < {record.id for record in store.records()}
    (tmp_path / "copy").rename(tmp_path / "moved")
    for path in (tmp_path / "moved" / "pictures").iterdir():
        path.unlink()
    (tmp_path / "moved" / "pictures" / "other.png").write_bytes(encoded(scene(10)))
    assert ingest(store, of_folder(tmp_path / "moved")).removed == 4, "nothing of it is left where it was"


def test_a_folder_all_of_whose_pictures_were_replaced_is_still_that_folder(store: Store, tmp_path: Path) -> None:
    root = filled(tmp_path / "pictures", 1, 2)
    ingest(store, of_folder(tmp_path))
    shutil.rmtree(root)
    filled(root, 5, 6, 7)
    assert ingest(store, of_folder(tmp_path)).removed == 2
