import pytest
from pydantic import ValidationError

from backbones.tokens import Tokens
from captioning.captioner import Batch, Captioner
from captioning.captioners.clip_tags import ClipTags
from captioning.captioners.template import Template
from core.cache import Memory
from core.errors import MissingBase, RecipeError
from core.record import Record
from tests.captioning.things import a_record, read, unread

RECORDS = [a_record(number) for number in range(1, 6)]
KINDS = ["clip_tags", "first_of", "joined", "sidecar", "template"]
ELSEWHERE = {"coca", "image_to_text"}  # they need models of their own: see test_speaking


def of_kind(kind: str, clip: str) -> Captioner:
    tags = {"kind": "clip_tags", "clip": clip, "facets": ("group", "palette"), "trigger": "om"}
    if kind == "clip_tags":
        return Captioner.parse(tags)
    if kind in ("first_of", "joined"):
        return Captioner.parse({"kind": kind, "of": ["sidecar", {"kind": "template", "template": "{name}"}, tags]})
    return Captioner.parse(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_captioner_says_the_same_twice_and_one_caption_for_each_record(kind: str, random_clip: str) -> None:
    first, second = (of_kind(kind, random_clip).captions(Batch(RECORDS, read, Memory())) for _ in range(2))
    assert first == second
    assert [caption.record for caption in first] == [record.id for record in RECORDS]
    for caption in first:
        assert not caption.user
        assert all(0 <= score <= 1 for score in caption.scores.values())
        assert all(tag in caption.automatic for tag in caption.scores)


@pytest.mark.parametrize("kind", KINDS)
def test_every_captioner_gives_each_record_of_the_set_a_key(kind: str, random_clip: str) -> None:
    captioner = of_kind(kind, random_clip)
    batch = Batch(RECORDS, read, Memory())
    keys = captioner.engines(batch)
    assert keys.keys() == {record.id for record in RECORDS}
    assert all(key.startswith(captioner.engine) for key in keys.values())
    assert captioner.captions(Batch([], read, Memory())) == []


def test_every_kind_is_in_the_contract_test() -> None:
    assert sorted({*KINDS, *ELSEWHERE}) == Captioner.kinds()


def said(captioner: Captioner, record: Record) -> str:
    return captioner.captions(Batch([record], unread, Memory()))[0].automatic


def test_a_template_puts_trigger_class_word_and_the_files_name_together() -> None:
    captioner = Template(trigger="sks", class_word="fruit", template="a photo of {trigger} {class_word}, {name}")
    assert said(captioner, a_record(3)) == "a photo of sks fruit, red apple"
    assert said(Template(trigger="sks", class_word="fruit"), a_record(3)) == "sks fruit"
    assert said(Template(template="{a name} in {folder}"), a_record(3)) == "a red apple in fruit"


def test_the_sources_tags_are_the_class_word_where_the_recipe_has_none() -> None:
    captioner = Template(trigger="sks")
    record = a_record(1, tags=("dog",))
    assert said(captioner, record) == "sks dog"
    plain, tagged = (captioner.engines(Batch([r], unread, Memory()))[r.id] for r in (a_record(1), record))
    assert plain != tagged


@pytest.mark.parametrize("kind", ["template", "clip_tags"])
def test_a_template_with_an_unknown_place_is_refused_when_the_recipe_is_read(kind: str) -> None:
    with pytest.raises(RecipeError, match=r"nothing is called \{triger\}; known: .*trigger"):
        Captioner.parse({"kind": kind, "template": "{triger}, a cat"})


def test_another_parameter_is_another_engine(random_clip: str) -> None:
    engines = {
        ClipTags(clip=random_clip, **more).engine  # type: ignore[arg-type]
        for more in ({}, {"trigger": "om"}, {"most": 3}, {"threshold": 0.9}, {"facets": ("palette",)})
    }
    assert len(engines) == 5


def test_nothing_is_embedded_again_that_is_in_the_cache(random_clip: str) -> None:
    cache, captioner = Memory(), of_kind("clip_tags", random_clip)
    first = captioner.captions(Batch(RECORDS, read, cache))
    fresh = of_kind("clip_tags", random_clip)
    assert fresh.captions(Batch(RECORDS, unread, cache)) == first


def test_captions_keep_to_the_budget_of_the_text_encoder(random_clip: str) -> None:
    tokens, long = Tokens.of("pocket"), "a picture"
    while tokens.count(long) < 68:
        long += " more"
    captioner = ClipTags(clip=random_clip, threshold=0.0, facets=("group", "palette"), template=long + ", {tags}")
    (caption,) = captioner.captions(Batch(RECORDS[:1], read, Memory()))
    assert tokens.count(caption.automatic) <= tokens.room == 75
    assert 0 < len(caption.scores) < 3  # one group and two colours were found


def test_a_facet_that_the_vocabulary_lacks_is_named_with_those_it_has(random_clip: str) -> None:
    captioner = ClipTags(clip=random_clip, facets=("subjekt",))
    with pytest.raises(RecipeError, match=r"no facet subjekt; known: .*palette"):
        captioner.captions(Batch(RECORDS, read, Memory()))


def test_a_clip_that_is_not_there_is_a_clear_error() -> None:
    with pytest.raises(MissingBase, match="no folder"):
        _ = ClipTags(clip="local-dir:/nowhere").engine


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ValidationError):
        ClipTags(budget=100)
    with pytest.raises(ValidationError):
        ClipTags(threshold=1.5)


def test_the_first_that_says_anything_has_its_word_and_the_later_ones_are_not_asked(random_clip: str) -> None:
    tags = {"kind": "clip_tags", "clip": random_clip, "facets": ["palette"]}
    named = {"kind": "template", "template": "{name}"}
    first = Captioner.parse({"kind": "first_of", "of": ["sidecar", named, tags]})
    assert said(first, a_record(1)) == "red apple"
    nameless = a_record(1, name="IMG_0001.png")
    with pytest.raises(AssertionError, match="was read"):
        said(first, nameless)  # the name says nothing, so CLIP has to look
    engines = {Captioner.parse({"kind": "first_of", "of": of}).engine for of in ([named], [named, tags], [tags])}
    assert len(engines) == 3


def test_joined_captions_say_nothing_twice_and_keep_to_the_budget() -> None:
    parts = [{"kind": "template", "template": text} for text in ("{name}", "red apple, {folder}", "{trigger}, " * 60)]
    parts[2]["trigger"] = "zz"
    joined = Captioner.parse({"kind": "joined", "of": parts})
    assert said(joined, a_record(1)) == "red apple, fruit, zz"
    long = Captioner.parse({"kind": "joined", "of": [parts[0], {"kind": "template", "template": "many words " * 60}]})
    assert said(long, a_record(1)) == "red apple"
    assert (
        said(Captioner.parse({"kind": "joined", "separator": ". ", "of": parts}), a_record(1)) == "red apple. fruit. zz"
    )


def test_a_mistake_within_a_part_is_told() -> None:
    with pytest.raises(RecipeError, match="captioner called 'clip_tag'; did you mean clip_tags"):
        Captioner.parse({"kind": "first_of", "of": ["clip_tag"]})
