import math
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.caption import Caption
from core.record import Reason, Record
from store.store import Store

TEXT = st.text(max_size=12)
NUMBER = st.floats(allow_nan=False)
INT64 = st.integers(-(2**63), 2**63 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1)
UINT64 = st.integers(0, 2**64 - 1)
VALUE = st.one_of(st.none(), st.booleans(), st.integers(), NUMBER, TEXT)

RECORDS = st.builds(
    Record,
    id=st.text(min_size=1, max_size=4),
    sha256=TEXT,
    source=TEXT,
    name=TEXT,
    uri=TEXT,
    size=INT64,
    mtime_ns=INT64,
    width=INT32,
    height=INT32,
    parent=TEXT,
    depth=INT32,
    made_by=TEXT,
    seed=INT64,
    drawn=st.dictionaries(TEXT, VALUE, max_size=4),
    group=TEXT,
    split=st.sampled_from(["train", "held_out", ""]),
    phash=UINT64,
    phash_mirrored=UINT64,
    quality=st.dictionaries(TEXT, NUMBER, max_size=4),
    tags=st.lists(TEXT, max_size=3).map(tuple),
    weight=NUMBER,
    verdict=st.sampled_from(["kept", "refused", "removed"]),
    reasons=st.lists(st.builds(Reason, code=TEXT, words=TEXT), max_size=3).map(tuple),
)
CAPTIONS = st.builds(
    Caption,
    record=st.text(min_size=1, max_size=4),
    automatic=TEXT,
    scores=st.dictionaries(TEXT, NUMBER, max_size=4),
    engine=TEXT,
    user=TEXT,
)
in_one_store = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@in_one_store
@given(st.lists(RECORDS, min_size=1, max_size=5, unique_by=lambda record: record.id))
def test_every_field_of_a_record_survives_the_store(store: Store, records: list[Record]) -> None:
    store.put_records(records)
    back = {record.id: record for record in store.records()}
    for record in records:
        assert back[record.id] == record
        assert types(back[record.id]) == types(record)
    assert store.put_records(records) == 0


@in_one_store
@given(st.lists(CAPTIONS, min_size=1, max_size=5, unique_by=lambda caption: caption.record))
def test_every_field_of_a_caption_survives_the_store(store: Store, captions: list[Caption]) -> None:
    before = store.captions()
    new = [caption for caption in captions if caption.record not in before]
    assert store.put_captions(new) == len(new)
    assert store.captions() == before | {caption.record: caption for caption in new}


def test_a_quality_that_is_not_a_number_survives_and_is_not_written_again(store: Store) -> None:
    record = Record("id", "sha", "source", "name", "uri", quality={"sharpness": math.nan, "top": math.inf})
    assert store.put_records([record]) == 1
    assert store.put_records([record]) == 0
    assert math.isnan(store.records()[0].quality["sharpness"])


def types(record: Record) -> dict[str, Any]:
    """So that True is told from 1, and 1 from 1.0."""
    return {
        **{key: type(value) for key, value in record.drawn.items()},
        "tags": type(record.tags),
        "reasons": type(record.reasons),
    }
