"""People's names for snapshots, going back to one, and reading single columns."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import StoreError
from core.record import Reason
from store.names import PATTERN
from store.store import Store
from tests.store.things import a_caption, a_record, all_rows


def test_a_name_stands_for_a_snapshot_wherever_one_is_named(store: Store) -> None:
    store.put_records([a_record(1)])
    store.put_captions([a_caption(1)])
    first = store.snapshot()
    assert store.name("data-0001", "gold") == first
    store.put_records([a_record(2)])
    store.snapshot()
    assert store.names() == {"gold": "data-0001"}
    assert store.at("gold") == first
    assert store.records(tag="gold") == [a_record(1)]
    assert store.captions(tag="gold") == {a_record(1).id: a_caption(1)}
    assert store.columns("records", "name", tag="gold")["name"].to_pylist() == ["1.png"]
    assert Store.open(store.uri).names() == {"gold": "data-0001"}
    with pytest.raises(StoreError, match="no snapshot 'silver'; the newest are: data-0001, data-0002; names: gold"):
        store.at("silver")


def test_a_name_never_moves_unless_it_is_told_to(store: Store) -> None:
    store.put_records([a_record(1)])
    store.name(store.snapshot().tag, "gold")
    store.put_records([a_record(2)])
    second = store.snapshot()
    assert store.name("gold", "gold").tag == "data-0001"  # the same again is no move
    with pytest.raises(StoreError, match=r"'gold' stands for data-0001 .*--move"):
        store.name(second.tag, "gold")
    assert store.names() == {"gold": "data-0001"}
    store.name(second.tag, "gold", move=True)
    assert store.at("gold") == second


@pytest.mark.parametrize("name", ["", "now", "data-0001", "data-7", "a/b", "-a", ".a", "two words", "ä", "a" * 65])
def test_a_name_that_would_be_mistaken_for_something_else_is_refused(store: Store, name: str) -> None:
    store.snapshot()
    with pytest.raises(StoreError, match="cannot name a snapshot"):
        store.name("data-0001", name)
    assert store.names() == {}


@given(st.text(max_size=70))
def test_a_name_is_one_word_that_a_shell_passes_on(name: str) -> None:
    if PATTERN.fullmatch(name):
        assert name.isascii()
        assert not set(name) & set(" \n\t/\\'\"$*?|&;<>()")
        assert name[0].isalnum()


@pytest.mark.usefixtures("in_a_folder")
def test_a_store_from_before_there_were_names_gets_the_table(store: Store) -> None:
    import lancedb

    store.put_records([a_record(1)])
    store.snapshot()
    lancedb.connect(store.uri).drop_table("names")
    again = Store.open(store.uri)
    assert again.names() == {}
    again.name("data-0001", "gold")
    assert again.at("gold").count == 1


def test_a_snapshot_knows_when_it_was_taken(store: Store) -> None:
    before = datetime.now(UTC)
    store.snapshot()
    taken = store.dates()["data-0001"]
    assert taken is not None
    assert before <= taken <= datetime.now(UTC)


def test_restoring_brings_records_and_captions_back_and_loses_nothing(store: Store) -> None:
    store.put_records([a_record(1), a_record(2, split="held_out")])
    store.put_captions([a_caption(1)])
    first = store.snapshot()
    records, captions = store.records(), store.captions()
    store.put_records([a_record(3), a_record(1).refuse(Reason("blurred", "it is blurred"))])
    store.edit_caption(a_record(2).id, "by hand")
    store.snapshot()
    store.put_records([a_record(4, verdict="refused", quality={"sharpness": 2.0})])  # no part of a manifest
    present, said = store.records(), store.captions()

    before, after = store.restore("data-0001")
    assert (store.records(), store.captions()) == (records, captions)
    assert (before.tag, after.tag) == ("data-0003", "data-0004")
    assert after.manifest == first.manifest
    assert store.snapshot() == after
    assert (store.records(tag=before.tag), store.captions(tag=before.tag)) == (present, said)

    store.restore(before.tag)
    assert (store.records(), store.captions()) == (present, said)


def test_restoring_what_is_there_changes_nothing(store: Store) -> None:
    store.put_records([a_record(1)])
    first = store.snapshot()
    assert store.restore("data-0001") == (first, first)
    assert store.snapshots() == [first]


def test_restoring_twice_is_restoring_once(store: Store) -> None:
    store.put_records([a_record(1)])
    store.snapshot()
    store.put_records([a_record(2)])
    _, after = store.restore("data-0001")
    assert store.restore("data-0001") == (after, after)
    store.edit_caption(a_record(1).id, "by hand")
    assert [one.tag for one in store.restore("data-0001")] == ["data-0004", "data-0005"]
    assert store.captions() == {}


def test_a_restored_store_takes_rows_like_any_other(store: Store) -> None:
    """Rows and files that were there before the restoring must not come in the way of new ones."""
    store.put_records([a_record(1)])
    store.snapshot()
    for number in range(2, 40):
        store.put_records([a_record(number)])
    full = store.snapshot()
    store.restore("data-0001")
    for number in range(2, 40):
        store.put_records([a_record(number, weight=2.0)])  # enough commits for the small files to be joined
    store.put_records([a_record(number) for number in range(20)])
    store.put_records([a_record(number) for number in range(20, 40)])
    assert store.snapshot().manifest != full.manifest  # number 0 is new
    store.put_records([replace(a_record(0), verdict="removed")])
    assert store.snapshot().manifest == full.manifest
    rows = all_rows(store, "records")
    assert len(rows) == len({row["id"] for row in rows}) == 40
    assert [record.name for record in store.records(tag="data-0001")] == ["1.png"]


def test_restoring_an_unknown_snapshot_changes_nothing(store: Store) -> None:
    store.put_records([a_record(1)])
    with pytest.raises(StoreError, match="no snapshot 'gold'"):
        store.restore("gold")
    assert store.snapshots() == []


def test_reading_columns_reads_no_picture(store: Store, tmp_path: Path) -> None:
    store.put_records([a_record(1)])
    store.snapshot()
    for blob in (Path(store.uri) / "images.lance").rglob("*.lance"):
        blob.unlink()
    assert store.columns("records", "id", "split").to_pylist() == [{"id": a_record(1).id, "split": ""}]


def test_a_restoring_that_was_killed_half_way_is_finished_by_the_next(store: Store) -> None:
    store.put_records([a_record(1)])
    store.put_captions([a_caption(1)])
    first = store.snapshot()
    store.put_records([a_record(2)])
    store.put_captions([a_caption(1, automatic="other words"), a_caption(2)])
    second = store.snapshot()
    store._tables["captions"].restore("data-0001")  # as far as it came
    before, after = store.restore("data-0001")
    assert (before.tag, after.tag, after.manifest) == ("data-0003", "data-0004", first.manifest)
    assert store.restore("data-0002")[1].manifest == second.manifest
