from dataclasses import replace

from core.caption import Caption
from core.record import Reason, Record
from core.snapshot import manifest_of


def a_record(name: str, **fields: object) -> Record:
    record = Record(
        id=Record.id_of("mine", name, name * 2), sha256=name * 2, source="mine", name=name, uri=f"/x/{name}"
    )
    return replace(record, split="train", **fields)


def test_a_manifest_follows_content_caption_split_and_use_and_nothing_else() -> None:
    records = [a_record("a"), a_record("b")]
    captions = {records[0].id: Caption(records[0].id, automatic="a cat")}
    manifest = manifest_of(records, captions)
    assert manifest == manifest_of(reversed(records), captions)
    assert manifest == manifest_of(
        [replace(records[0], uri="/elsewhere", quality={"sharpness": 2.0}, tags=("dog",)), records[1]], captions
    )
    assert manifest != manifest_of([replace(records[0], weight=2.0), records[1]], captions)
    assert manifest != manifest_of([replace(records[0], tags=("regularisation",)), records[1]], captions)
    assert manifest != manifest_of([replace(records[0], split="held_out"), records[1]], captions)
    assert manifest != manifest_of(records, {records[0].id: Caption(records[0].id, automatic="a cat", user="a dog")})
    assert manifest != manifest_of(records[:1], captions)


def test_a_refused_record_keeps_its_reasons_and_leaves_the_manifest() -> None:
    records = [a_record("a"), a_record("b")]
    refused = records[1].refuse(Reason("too_small", "8 pixels wide; at least 32 are asked for"))
    assert refused.verdict == "refused"
    assert manifest_of([records[0], refused], {}) == manifest_of(records[:1], {})


def test_a_derived_record_inherits_its_group_and_is_never_held_out() -> None:
    from flows.recipe import family_named

    block = family_named("transform").parse("black_and_white")
    parent = a_record("a", group="g1")
    child = parent.derive(block, sha256="c" * 64, seed=1, drawn={"method": "average"}, width=4, height=4)
    again = parent.derive(block, sha256="c" * 64, seed=1, drawn={"method": "average"}, width=4, height=4)
    other = parent.derive(block, sha256="c" * 64, seed=2, drawn={"method": "average"}, width=4, height=4)
    assert (child.group, child.split, child.depth, child.parent) == ("g1", "train", 1, parent.id)
    assert child.id == again.id != other.id


def test_records_and_captions_can_be_sent_to_another_process() -> None:
    import pickle

    record = a_record("a", quality={"sharpness": 2.0}).refuse(Reason("too_small", "8 pixels"))
    assert pickle.loads(pickle.dumps(record)) == record
    assert pickle.loads(pickle.dumps(Caption("a", automatic="a cat"))) == Caption("a", automatic="a cat")
