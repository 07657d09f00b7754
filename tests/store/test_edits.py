from pathlib import Path

import pytest

from core.caption import Caption
from core.errors import StoreError
from store.store import Store
from tests.captioning.things import a_record

RECORDS = [a_record(number) for number in range(1, 5)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.open(tmp_path / "store")
    store.put_records(RECORDS)
    store.put_captions(Caption(record.id, automatic="auto", scores={"auto": 0.5}, engine="e") for record in RECORDS[:3])
    return store


def texts(store: Store) -> list[str]:
    captions = store.captions()
    return [captions[record.id].text if record.id in captions else "" for record in RECORDS]


def test_an_edit_of_many_captions_is_taken_back_as_one_to_the_last_score(store: Store) -> None:
    before = store.captions()
    store.edit_captions({RECORDS[0].id: "mine", RECORDS[1].id: "mine too"}, "both")
    assert texts(store) == ["mine", "mine too", "auto", ""]
    undone = store.undo_edit()
    assert undone is not None
    assert undone[0].what == "both"
    assert store.captions() == before
    assert store.undo_edit() is None


def test_taking_back_goes_one_edit_further_each_time(store: Store) -> None:
    for number in range(3):
        store.edit_captions({RECORDS[0].id: f"edit {number}"}, f"edit {number}")
    said = []
    while store.undo_edit() is not None:
        said.append(texts(Store.open(store.uri))[0])
    assert said == ["edit 1", "edit 0", "auto"]
    store.edit_captions({RECORDS[0].id: "again"}, "again")
    store.undo_edit()
    assert texts(store)[0] == "auto"


def test_a_caption_that_was_changed_since_stays_as_it_is(store: Store) -> None:
    store.edit_captions({RECORDS[0].id: "one", RECORDS[1].id: "two"}, "both")
    store.edit_caption(RECORDS[0].id, "later")
    undone = store.undo_edit()
    assert undone is not None
    assert undone[1] is not None
    assert [change.record for change in undone[1].changes] == [RECORDS[1].id]
    assert texts(store)[:2] == ["later", "auto"]


def test_an_edit_that_can_no_longer_be_taken_back_does_not_block_those_before_it(store: Store) -> None:
    store.edit_captions({RECORDS[1].id: "first"}, "first")
    store.edit_captions({RECORDS[0].id: "second"}, "second")
    store.edit_caption(RECORDS[0].id, "later")
    undone = store.undo_edit()
    assert undone is not None
    assert undone[1] is None
    undone = store.undo_edit()
    assert undone is not None
    assert undone[0].what == "first"
    assert texts(store)[:2] == ["later", "auto"]


def test_an_edit_that_changes_nothing_is_none(store: Store) -> None:
    assert store.edit_captions({RECORDS[0].id: ""}, "nothing") is None
    assert store.edit_captions({}, "nothing") is None
    assert store.edits() == []


def test_a_record_that_is_not_there_refuses_the_whole_edit(store: Store) -> None:
    with pytest.raises(StoreError, match="no record 'nobody'"):
        store.edit_captions({RECORDS[0].id: "x", "nobody": "y"}, "both")
    assert texts(store)[0] == "auto"


def test_a_picture_without_a_caption_can_be_given_one(store: Store) -> None:
    store.edit_captions({RECORDS[3].id: "mine"}, "one")
    assert texts(store)[3] == "mine"
    store.undo_edit()
    assert texts(store)[3] == ""
