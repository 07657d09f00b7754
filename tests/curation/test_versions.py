"""What changed between two versions, on a small store by hand and on a large one without a picture in it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.caption import Caption
from core.hashing import sha256_of
from core.record import Reason, Record
from curation.versions import KINDS, ROWS, Difference, difference
from store.store import Store


def a_record(name: str, content: str = "", **fields: object) -> Record:
    sha256 = sha256_of((content or name).encode())
    plain = Record(Record.id_of("here", name, sha256), sha256, "here", name, f"/here/{name}", split="train")
    return replace(plain, **fields)


def names(found: Difference) -> dict[str, list[str]]:
    return {kind: rows["name"].to_pylist() for kind, rows in found.changes.items() if rows.num_rows}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


def put(store: Store, *records: Record, **texts: str) -> None:
    store.put_records(records)
    by_name = {record.name: record.id for record in store.records()}
    store.put_captions(Caption(by_name[name], automatic=text, engine="e") for name, text in texts.items())


def test_every_kind_of_change_is_told_with_what_it_was_and_is(store: Store) -> None:
    stays = [a_record(name) for name in ("stays", "edited", "goes", "spoilt", "said", "sided", "heavier", "marked")]
    spoilt_before = a_record("spoilt again", "good")
    out = a_record("was blurred").refuse(Reason("blurred", "it is blurred"))
    put(store, *stays, spoilt_before, out, said="a cat", goes="a ghost")
    store.snapshot()
    put(
        store,
        replace(a_record("edited"), verdict="removed"),
        a_record("edited", "new content"),
        replace(a_record("goes"), verdict="removed"),
        a_record("spoilt").refuse(Reason("blurred", "it is blurred now"), Reason("small", "it is small")),
        replace(spoilt_before, verdict="removed"),
        a_record("spoilt again", "half of it").refuse(Reason("truncated", "it ends too early")),
        a_record("comes"),
        a_record("never good").refuse(Reason("blurred", "it was never sharp")),
        a_record("was blurred"),
        a_record("sided", split="held_out"),
        a_record("heavier", weight=3.0),
        a_record("marked", tags=("cat", "pet")),
        comes="a new one",
        said="a black cat",
    )
    store.snapshot()
    found = difference(store, "data-0001", "data-0002")
    assert names(found) == {
        "added": ["comes"],
        "changed": ["edited"],
        "removed": ["goes"],
        "refused": ["never good", "spoilt", "spoilt again"],
        "accepted": ["was blurred"],
        "recaptioned": ["said"],
        "resplit": ["sided"],
        "reweighted": ["heavier"],
        "retagged": ["marked"],
    }
    first = {kind: rows.to_pylist()[0] for kind, rows in found.changes.items()}
    assert (first["recaptioned"]["before"], first["recaptioned"]["after"]) == ("a cat", "a black cat")
    assert (first["resplit"]["before"], first["resplit"]["after"]) == ("train", "held_out")
    assert (first["reweighted"]["before"], first["reweighted"]["after"]) == ("1", "3")
    assert (first["retagged"]["before"], first["retagged"]["after"]) == ("", "cat, pet")
    assert (first["removed"]["before"], first["added"]["after"]) == ("a ghost", "a new one")
    assert found.changes["refused"]["after"].to_pylist() == [
        "it was never sharp",
        "it is blurred now",
        "it ends too early",
    ]
    assert found.reasons == {"blurred": 2, "truncated": 1}
    assert first["changed"]["old"] == a_record("edited").sha256
    assert first["changed"]["new"] == a_record("edited", "new content").sha256


def test_the_present_state_can_be_compared_and_the_way_back_is_the_reverse(store: Store) -> None:
    put(store, a_record("a"))
    store.snapshot()
    put(store, a_record("b"))
    assert names(difference(store, "data-0001", "")) == {"added": ["b"]}
    assert names(difference(store, "", "data-0001")) == {"removed": ["b"]}
    assert difference(store, "", "").same


def test_pictures_made_from_others_are_counted_apart(store: Store) -> None:
    real = a_record("a")
    made = [replace(real, id=f"made-{number}", parent=real.id, depth=1) for number in range(3)]
    put(store, real, *made[:2])
    store.put_captions([Caption("made-0", automatic="one", engine="e")])
    store.snapshot()
    put(store, replace(made[1], verdict="removed"), made[2])
    store.put_captions([Caption("made-0", automatic="two", engine="e")])
    found = difference(store, "data-0001", "")
    assert names(found) == {}
    assert found.derived == {"made": 1, "dropped": 1, "recaptioned": 1}
    assert not found.same


def test_an_empty_store_differs_in_nothing(store: Store) -> None:
    found = difference(store, "", "")
    assert found.same
    assert list(found.changes) == list(KINDS)
    assert all(rows.schema == ROWS for rows in found.changes.values())


STATES = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.tuples(st.sampled_from(["1", "2"]), st.sampled_from(["kept", "refused", "removed"]), st.sampled_from(["", "t"])),
)


@settings(max_examples=25, deadline=None)
@given(before=STATES, after=STATES)
def test_whatever_happened_each_file_is_told_once_and_the_counts_add_up(
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[str, tuple[str, str, str]],
    after: dict[str, tuple[str, str, str]],
) -> None:
    store = Store.open(tmp_path_factory.mktemp("states"))

    def written(state: dict[str, tuple[str, str, str]], others: Sequence[Record] = ()) -> dict[str, Record]:
        reason = (Reason("no", "no"),)
        now = {
            name: a_record(name, name + content, verdict=verdict, reasons=reason if verdict != "kept" else ())
            for name, (content, verdict, _) in state.items()
        }
        ids = {record.id for record in now.values()}
        gone = [replace(record, verdict="removed") for record in others if record.id not in ids]
        store.put_records([*now.values(), *gone])
        for name, (_, _, text) in state.items():
            store.edit_caption(now[name].id, text)
        return now

    first = written(before)
    store._take(lambda _: False)
    second = written(after, list(first.values()))
    found = difference(store, "data-0001", "")
    kept = [{name for name, record in state.items() if record.verdict == "kept"} for state in (first, second)]
    told = names(found)
    came = {*told.get("added", []), *told.get("accepted", [])}
    assert came == kept[1] - kept[0]
    assert {*told.get("removed", [])} <= kept[0] - kept[1]
    moved = [name for kind in ("added", "accepted", "changed", "removed", "refused") for name in told.get(kind, [])]
    assert len(moved) == len(set(moved))
    assert set(told.get("changed", [])) == {n for n in kept[0] & kept[1] if first[n].sha256 != second[n].sha256}


def test_twenty_thousand_records_are_compared_without_a_picture(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [a_record(f"{number:05}.png", width=8, height=8) for number in range(20_000)]
    store.put_records(records)
    store.put_captions(Caption(record.id, automatic="a thing", engine="e") for record in records)
    first = store.snapshot()
    store.put_records(replace(record, verdict="removed") for record in records[:1000])
    store.put_records([a_record(f"new-{number}.png") for number in range(500)])
    store.put_captions(Caption(record.id, user="by hand") for record in records[1000:3000])
    store.snapshot()

    read: list[str] = []
    image = store._tables["images"]
    for verb in ("read", "blobs", "take", "dataset"):  # the store has no pictures, and none is asked for
        monkeypatch.setattr(image, verb, lambda *_, verb=verb, **__: read.append(verb))
    counts = difference(store, "data-0001", "data-0002").counts
    assert {kind: count for kind, count in counts.items() if count} == {
        "added": 500,
        "removed": 1000,
        "recaptioned": 2000,
    }
    assert not read
    monkeypatch.undo()

    before, after = store.restore(first.tag)
    assert before.tag == "data-0002"
    assert after.manifest == first.manifest
    assert store.snapshot().manifest == first.manifest
    assert difference(store, first.tag, "").same
