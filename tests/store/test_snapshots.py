from pathlib import Path

import pytest

from core.errors import StoreError
from core.record import Reason
from core.snapshot import manifest_of
from store.store import Store
from store.tables import TAGGED
from tests.store.things import a_caption, a_record


def test_a_snapshot_keeps_what_was_there(store: Store) -> None:
    store.put_records([a_record(1), a_record(2, split="held_out"), a_record(3).refuse(Reason("blank", "one colour"))])
    store.put_captions([a_caption(1)])
    first = store.snapshot()
    assert (first.store, first.tag, first.count, first.held_out) == (store.uri, "data-0001", 2, 1)
    assert first.manifest == manifest_of(store.records(), store.captions())
    records, captions = store.records(), store.captions()

    store.put_records([a_record(4), a_record(1, verdict="removed")])
    store.edit_caption(a_record(2).id, "by hand")
    second = store.snapshot()
    assert (second.tag, second.count) == ("data-0002", 2)
    assert second.manifest != first.manifest
    assert store.records(tag="data-0001") == records
    assert store.captions(tag="data-0001") == captions
    assert store.records(tag="data-0002") == store.records()
    assert store.snapshots() == [first, second]
    assert store.at("data-0001") == first


def test_the_same_data_is_the_same_snapshot(store: Store) -> None:
    store.put_records([a_record(1)])
    first = store.snapshot()
    assert store.snapshot() == first
    store.put_records([a_record(1, quality={"sharpness": 3.0}), a_record(2, verdict="refused")])
    assert store.snapshot() == first
    store.put_records([a_record(1, split="train")])
    assert store.snapshot().tag == "data-0002"
    store.put_records([a_record(1)])
    again = store.snapshot()
    assert (again.tag, again.manifest) == ("data-0003", first.manifest)


def test_two_stores_with_the_same_data_have_the_same_manifest(store: Store, tmp_path: Path) -> None:
    other = Store.open(tmp_path / "other")
    for each, order in ((store, range(9)), (other, reversed(range(9)))):
        for number in order:
            each.put_records([a_record(number)])
            each.put_captions([a_caption(number)])
    assert store.snapshot().manifest == other.snapshot().manifest


def test_an_empty_store_has_a_snapshot_of_nothing(store: Store) -> None:
    assert store.snapshots() == []
    assert store.snapshot().count == 0


def test_an_unknown_snapshot_is_an_error_that_names_the_known(store: Store) -> None:
    store.snapshot()
    for read in (store.at, lambda tag: store.records(tag=tag), lambda tag: store.captions(tag=tag)):
        with pytest.raises(StoreError, match="no snapshot 'data-0099'; the newest are: data-0001"):
            read("data-0099")


def test_a_snapshot_that_was_interrupted_between_two_tables_is_made_anew(store: Store) -> None:
    store.put_records([a_record(1)])
    for name in list(TAGGED)[:2]:
        store._tables[name].tag("data-0001")  # as far as a killed run came
    assert store.snapshots() == []
    with pytest.raises(StoreError, match="none yet"):
        store.records(tag="data-0001")
    store.put_records([a_record(2)])
    made = store.snapshot()
    assert (made.tag, made.count) == ("data-0001", 2)
    assert store.records(tag="data-0001") == store.records()
