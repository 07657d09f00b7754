"""Everything known of one picture, and refused duplicates beside what is kept."""

from dataclasses import replace
from pathlib import Path

import pytest

from core.caption import Caption
from core.errors import StoreError
from core.record import Reason, Record
from curation.doubles import doubles
from curation.story import stories
from store.store import Store
from tests.curation.test_card import a_record

COLUMNS = ("id", "sha256", "name", "group", "verdict", "reasons")


def a_double(name: str, of: Record, code: str = "near_duplicate", **fields: object) -> Record:
    words = f"nearly the same as {of.name} ({of.id}), which is kept (largest)"
    return replace(a_record(name, width=8, height=8, group=of.group), **fields).refuse(Reason(code, words))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.open(tmp_path / "store")
    cat = a_record("pets/cat.png", width=8, height=8, group="g", split="train", quality={"sharpness": 2.0})
    twin = a_double("pets/cat-2.png", cat, "duplicate", sha256=cat.sha256)
    made = replace(cat, id="made", parent=cat.id, depth=1, made_by="flip:1", seed=3, drawn={"mirrored": True})
    store.put_records([cat, twin, made, a_record("dog.png", width=8, height=8, group="d")])
    store.put_captions([Caption(cat.id, "a cat", {"cat": 0.9}, "e", "my cat")])
    store.snapshot()
    return store


@pytest.mark.parametrize("name", ["pets/cat.png", "cat.png", a_record("pets/cat.png").id])
def test_a_picture_is_found_by_its_name_its_end_and_its_id(store: Store, name: str) -> None:
    (story,) = stories(store, name)
    assert story.record.name == "pets/cat.png"
    assert story.caption.text == "my cat"
    assert [one.name for one in story.alike] == ["pets/cat-2.png"]
    assert story.versions == ("data-0001",)
    assert [one.id for one in story.made] == ["made"]
    assert {one.id for one in story.same} == {a_record("pets/cat-2.png").id, "made"}


def test_a_hash_finds_all_that_has_these_bytes(store: Store) -> None:
    found = stories(store, a_record("pets/cat.png").sha256[:10])
    assert [(one.record.name, one.record.depth) for one in found] == [
        ("pets/cat-2.png", 0),
        ("pets/cat.png", 0),
        ("pets/cat.png", 1),
    ]
    assert found[2].made_from == found[1].record
    assert found[0].versions == ()  # refused: kept in none


def test_an_unknown_picture_is_an_error_that_says_what_is_near(store: Store) -> None:
    with pytest.raises(StoreError, match=r"no picture 'CAT' .*did you mean pets/cat-2.png, pets/cat.png\?"):
        stories(store, "CAT")
    with pytest.raises(StoreError, match="no picture 'zebra'"):
        stories(store, "zebra")
    store.put_records([a_record(f"{number}/same.png") for number in range(30)])
    with pytest.raises(StoreError, match="'same.png' means 30 pictures"):
        stories(store, "same.png")


def test_a_story_can_be_that_of_an_old_version(store: Store) -> None:
    store.put_records([replace(a_record("dog.png"), verdict="removed", reasons=(Reason("removed", "gone"),))])
    assert stories(store, "dog.png")[0].record.verdict == "removed"
    assert stories(store, "dog.png", "data-0001")[0].record.verdict == "kept"


def test_a_double_stands_beside_the_picture_that_is_kept_instead(store: Store) -> None:
    dog = a_record("dog.png", width=8, height=8, group="d")
    other = a_record("dog-mirrored.png", width=8, height=8, group="d")  # of the group, but not what was meant
    lonely = a_double("lonely.png", replace(dog, name="gone.png", group=""))
    store.put_records([other, a_double("dog-2.png", dog), lonely])
    total, found = doubles(store.columns("records", *COLUMNS), 10)
    told = {one.refused.name: one.kept.name if one.kept else None for one in found}
    assert total == 3
    assert told == {"pets/cat-2.png": "pets/cat.png", "dog-2.png": "dog.png", "lonely.png": None}


def test_of_two_pictures_of_one_name_the_one_that_is_meant_is_shown(store: Store) -> None:
    """Two sources, or an edited file, may have a picture of the same name in one group."""
    dogs = [
        replace(a_record(f"{at}/dog.png", width=8, height=8, group="d"), name="dog.png", source=at) for at in "abcd"
    ]
    store.put_records([*dogs, *(a_double(f"{at}.png", dog) for at, dog in enumerate(dogs))])
    _, found = doubles(store.columns("records", *COLUMNS), 10)
    shown = {one.refused.name: one.kept.sha256 for one in found if one.kept}
    assert [shown[f"{at}.png"] for at in range(4)] == [dog.sha256 for dog in dogs]


def test_of_many_doubles_only_so_many_are_shown(store: Store) -> None:
    dog = a_record("dog.png", width=8, height=8, group="d")
    store.put_records([a_double(f"dog-{number}.png", dog) for number in range(50)])
    total, found = doubles(store.columns("records", *COLUMNS), 7)
    assert (total, len(found)) == (51, 7)


def test_a_dataset_without_doubles_has_none_to_show(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "other")
    assert doubles(store.columns("records", *COLUMNS), 7) == (0, [])
    store.put_records([a_record("dog.png", width=8, height=8, group="d")])
    assert doubles(store.columns("records", *COLUMNS), 7) == (0, [])
