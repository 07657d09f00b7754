"""Exports as kohya reads them."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from core.marks import KEEP_TOKENS, REGULARISATION
from curation.export import Export
from curation.sources.kohya import Kohya
from store.store import Store
from tests.curation.conftest import opened
from tests.curation.exports import an_item, kept, told, wanted, written


def test_kohyas_layout_stands_on_the_disk_and_its_dataset_file_names_what_is_trained_on(
    many_kinds: Store, tmp_path: Path
) -> None:
    done = written(many_kinds, "kohya", tmp_path / "out")
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
    trained = kept(written_without_held_out(many_kinds))
    assert told(Kohya(path=str(done.folder / "dataset.toml")).pictures()) == trained


def written_without_held_out(store: Store) -> Store:
    """The same store with nothing kept of the held-out side."""
    held = [record for record in store.records() if record.split == "held_out"]
    store.put_records(replace(record, verdict="removed") for record in held)
    return store


def test_a_change_by_hand_in_an_exported_kohya_folder_holds(many_kinds: Store, tmp_path: Path) -> None:
    done = written(many_kinds, "kohya", tmp_path / "out", side="train")
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
