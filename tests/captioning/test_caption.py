from dataclasses import replace
from pathlib import Path

import pytest

from captioning.caption import Captioned, caption
from captioning.captioners.clip_tags import ClipTags
from captioning.captioners.sidecar import Sidecar
from captioning.captioners.template import Template
from core.caption import Caption
from core.record import Reason
from store.store import Store
from tests.captioning.things import a_record, read, unread

RECORDS = [a_record(number) for number in range(1, 7)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.open(tmp_path / "store")
    store.put_records(RECORDS)
    return store


@pytest.fixture
def tags(random_clip: str) -> ClipTags:
    return ClipTags(clip=random_clip, facets=("group", "palette", "setting"), trigger="om style", threshold=0.3)


def test_every_kept_picture_gets_a_caption_once(store: Store, tags: ClipTags) -> None:
    assert caption(store, tags, read) == Captioned(made=6, unchanged=0, by_person=0)
    before = store.captions()
    assert {said.record for said in before.values()} == {record.id for record in RECORDS}
    assert all(said.text.startswith("om style") for said in before.values())
    assert caption(store, tags, unread) == Captioned(made=0, unchanged=6, by_person=0)
    assert store.captions() == before


def test_another_process_would_find_nothing_to_do_either(store: Store, tags: ClipTags) -> None:
    caption(store, tags, read)
    again = ClipTags.parse(tags.dump())
    assert caption(Store.open(store.uri), again, unread).made == 0


def test_another_parameter_captions_again_without_reading_a_picture(store: Store, tags: ClipTags) -> None:
    caption(store, tags, read)
    other = tags.model_copy(update={"trigger": "zz style"})
    assert caption(store, ClipTags(**other.model_dump()), unread) == Captioned(made=6, unchanged=0, by_person=0)
    assert all(said.text.startswith("zz style") for said in store.captions().values())


def test_one_more_picture_is_the_only_one_that_is_captioned(store: Store, tags: ClipTags) -> None:
    caption(store, tags, read)
    before = store.captions()
    store.put_records([a_record(9)])
    assert caption(store, tags, read) == Captioned(made=1, unchanged=6, by_person=0)
    assert {key: said for key, said in store.captions().items() if key in before} == before


def test_a_picture_on_another_ground_is_captioned_again(store: Store, tags: ClipTags) -> None:
    caption(store, tags, read)
    store.put_records([replace(RECORDS[2], drawn={"matte": "#0000ff", "reading": "another"})])
    assert caption(store, tags, read) == Captioned(made=1, unchanged=5, by_person=0)
    assert caption(store, tags, unread).made == 0


def test_what_a_person_wrote_is_never_touched(store: Store, tags: ClipTags) -> None:
    store.put_captions([Caption(RECORDS[0].id, user="my cat Tiger")])
    assert caption(store, tags, read) == Captioned(made=5, unchanged=0, by_person=1)
    assert store.captions()[RECORDS[0].id] == Caption(RECORDS[0].id, user="my cat Tiger")
    caption(store, Template(trigger="other"), read)
    assert store.captions()[RECORDS[0].id].text == "my cat Tiger"


def test_a_person_who_takes_the_words_back_gets_the_automatic_ones(store: Store) -> None:
    store.put_captions([Caption(RECORDS[0].id, user="my cat Tiger")])
    caption(store, Template(template="{a name}"), read)
    store.edit_caption(RECORDS[0].id, "")
    assert caption(store, Template(template="{a name}"), read) == Captioned(made=1, unchanged=5, by_person=0)
    assert store.captions()[RECORDS[0].id].text == "a red apple"


def test_sidecar_leaves_everything_to_the_person(store: Store) -> None:
    caption(store, Template(template="{name}"), read)
    store.edit_caption(RECORDS[0].id, "my cat Tiger")
    caption(store, Sidecar(), unread)
    texts = {said.record: said.text for said in store.captions().values()}
    assert texts == {record.id: "my cat Tiger" if record is RECORDS[0] else "" for record in RECORDS}


def test_refused_and_derived_pictures_are_not_captioned_here(store: Store) -> None:
    derived = replace(a_record(8), depth=1, parent=RECORDS[0].id)
    store.put_records([RECORDS[0].refuse(Reason("blurred", "too soft")), derived])
    assert caption(store, Template(template="{name}"), unread).made == 5
    assert not {RECORDS[0].id, derived.id} & store.captions().keys()


def test_a_run_that_was_killed_goes_on_where_it_stopped(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("captioning.caption.SHARD", 2)
    plain = Template(template="{name}")
    put, calls = store.put_captions, 0

    def dies(captions: object) -> int:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return put(captions)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "put_captions", dies)
    with pytest.raises(KeyboardInterrupt):
        caption(store, plain, read)
    assert caption(store, plain, read) == Captioned(made=2, unchanged=4, by_person=0)


def test_an_open_facet_is_measured_anew_only_when_the_set_has_doubled(
    store: Store, random_clip: str, tmp_path: Path
) -> None:
    words = tmp_path / "words.yaml"
    words.write_text("mood: [happy, sad, calm]")
    moods = ClipTags(clip=random_clip, vocabulary=str(words), facets=("mood",), threshold=0.0)
    caption(store, moods, read)
    store.put_records(a_record(number) for number in range(10, 15))
    assert caption(store, moods, read) == Captioned(made=5, unchanged=6, by_person=0)
    store.put_records([a_record(15)])
    assert caption(store, moods, read) == Captioned(made=12, unchanged=0, by_person=0)
    assert caption(store, moods, unread) == Captioned(made=0, unchanged=12, by_person=0)
