"""Kohya's folders: repeats, class words, regularisation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import SourceError
from core.marks import REGULARISATION
from curation.curate import curate
from curation.filter import Filter
from curation.ingest import ingest
from curation.sources.kohya import Kohya
from curation.splits import Split
from store.store import Store
from tests.curation.conftest import encoded, scene
from tests.curation.kohya import config, found, noted, put


def test_a_folder_says_how_often_and_what_and_the_first_line_beside_a_picture_is_its_caption(tmp_path: Path) -> None:
    put(tmp_path / "10_sks dog", p1="a sks dog\nsecond line", p2=None)
    put(tmp_path / "3", p3=None)
    pictures = found(tmp_path)
    assert [(p.name, p.weight, p.tags, p.caption) for p in pictures.values()] == [
        ("10_sks dog/p1.png", 10.0, ("sks dog",), "a sks dog"),
        ("10_sks dog/p2.png", 10.0, ("sks dog",), "sks dog"),
        ("3/p3.png", 3.0, (), ""),
    ]
    assert found(tmp_path, class_captions=False)["10_sks dog/p2.png"].caption == ""
    assert pictures["3/p3.png"].read() == encoded(scene(3))


def test_the_layout_of_kohyas_gui_is_read_with_its_regularisation_pictures(tmp_path: Path) -> None:
    put(tmp_path / "img" / "5_sks dog", p1="x")
    put(tmp_path / "reg" / "1_dog", p2=None)
    put(tmp_path / "log", p3=None)
    pictures = found(tmp_path)
    assert {name: p.tags for name, p in pictures.items()} == {
        "img/5_sks dog/p1.png": ("sks dog",),
        "reg/1_dog/p2.png": ("dog", REGULARISATION),
    }
    assert "log: 1 picture not read" in noted(pictures)
    apart = found(tmp_path / "img", regularisation=str(tmp_path / "reg"))
    assert apart["regularisation/1_dog/p2.png"].tags == ("dog", REGULARISATION)


def test_what_kohya_does_not_read_is_told(tmp_path: Path) -> None:
    put(tmp_path / "2_a", p1=None)
    put(tmp_path / "2_a" / "deeper", p2=None)
    put(tmp_path / "0_never", p3=None)
    put(tmp_path, p4=None)
    pictures = found(tmp_path)
    assert list(pictures) == ["2_a/p1.png"]
    assert "2_a/deeper: 1 picture not read" in noted(pictures)
    assert "1 pictures have less than 1 repeat" in noted(pictures)
    assert noted(pictures).startswith(f"{tmp_path}: 1 picture not read")


def test_one_such_folder_may_be_named_itself_and_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "4_cat", p1=None)
    assert found(tmp_path / "4_cat")["4_cat/p1.png"].weight == 4
    put(tmp_path / "other" / "sub", p1=None)
    with pytest.raises(SourceError, match="no folders of kohya's: they are named 10_words"):
        found(tmp_path / "other")


def test_regularisation_pictures_are_never_held_out_and_take_no_training_pictures_place(tmp_path: Path) -> None:
    put(tmp_path / "img" / "1_sks dog", **{f"p{at}": None for at in range(1, 11)})
    put(tmp_path / "reg" / "1_dog", **{f"p{at}": None for at in range(20, 60)})
    (tmp_path / "reg" / "1_dog" / "large.png").write_bytes(encoded(scene(1)) + b" ")  # the larger file of the same look
    store = Store.open(tmp_path / "store")
    filters = [Filter.parse("near_duplicate")]
    notes = ingest(store, Kohya(path=str(tmp_path)), filters).notes
    curated = curate(store, filters, Split())
    assert not notes
    by_name = {record.name: record for record in store.records()}
    regular = [record for record in by_name.values() if REGULARISATION in record.tags]
    assert {record.split for record in regular} == {"train"}
    assert by_name["reg/1_dog/large.png"].verdict == "refused"
    assert by_name["img/1_sks dog/p1.png"].verdict == "kept"
    assert curated.held_out == 2, "a share of the ten, not of the fifty"
    assert by_name["img/1_sks dog/p1.png"].split == "train"


@pytest.fixture
def remote() -> Iterator[str]:
    """A folder that only fsspec can reach."""
    import fsspec

    system = fsspec.filesystem("memory")
    yield "memory://kohya-test"
    system.rm("/kohya-test", recursive=True)


def test_folders_and_dataset_files_behind_a_url_are_read_like_local_ones(remote: str, tmp_path: Path) -> None:
    import fsspec

    put(tmp_path / "img" / "10_sks dog", p1="one", p2=None)
    put(tmp_path / "reg" / "1_dog", p3=None)
    config(tmp_path, '[[datasets]]\n[[datasets.subsets]]\nimage_dir = "img/10_sks dog"\ncaption_extension = "txt"\n')
    system = fsspec.filesystem("memory")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            system.pipe(f"/kohya-test/{path.relative_to(tmp_path)}", path.read_bytes())
    for below in ("", "/data.toml"):
        here, there = (
            [(p.name, p.caption, p.tags, p.weight, p.read()) for p in Kohya(path=f"{root}{below}").pictures()]
            for root in (tmp_path, remote)
        )
        assert here == there
