import pytest

from core.marks import KEEP_LAST_TOKENS, KEEP_TOKENS
from training.captions import Captions

TAGS = "sks, a, b, c, d"


def test_a_caption_stays_as_it_is_where_nothing_is_asked() -> None:
    assert Captions().wordings_of("r", "one, two") == ("one, two",)
    assert Captions().wordings_of("r", "") == ("",)


def test_tags_are_shuffled_behind_those_that_stay_and_nothing_is_lost() -> None:
    drawn = Captions(shuffle=True, keep_tokens=1, wordings=20).wordings_of("r", TAGS)
    assert len(drawn) == 20
    assert len(set(drawn)) > 8
    for text in drawn:
        assert text.startswith("sks, ")
        assert sorted(text.split(", ")) == sorted(TAGS.split(", "))


def test_the_wordings_follow_from_the_picture() -> None:
    captions = Captions(shuffle=True)
    assert captions.wordings_of("r", TAGS) == captions.wordings_of("r", TAGS)
    assert captions.wordings_of("r", TAGS) != captions.wordings_of("other", TAGS)
    more = Captions(shuffle=True, wordings=12).wordings_of("r", TAGS)
    assert more[:8] == captions.wordings_of("r", TAGS), "more wordings leave the first ones as they are, and cached"


def test_tags_are_dropped_about_as_often_as_is_asked_but_never_those_that_stay() -> None:
    drawn = Captions(tag_dropout=0.3, keep_tokens=1, wordings=500).wordings_of("r", TAGS)
    kept = sum(len(text.split(", ")) - 1 for text in drawn)
    assert all(text.startswith("sks") for text in drawn)
    assert abs(kept / (4 * 500) - 0.7) < 0.05
    assert all([t for t in TAGS.split(", ") if t in text.split(", ")] == text.split(", ") for text in drawn)


def test_a_pictures_own_marks_come_before_the_recipes_number() -> None:
    tags = (f"{KEEP_TOKENS}2", f"{KEEP_LAST_TOKENS}1")
    for text in Captions(shuffle=True, wordings=20).wordings_of("r", TAGS, tags):
        assert text.startswith("sks, a, ")
        assert text.endswith(", d")


def test_several_captions_of_a_picture_come_equally_often_and_the_first_is_measured_with() -> None:
    captions = Captions(between="||")
    assert captions.said("a dog || the hound||") == ["a dog", "the hound"]
    assert captions.wordings_of("r", "a dog || the hound") == ("a dog", "the hound")
    both = Captions(between="||", shuffle=True, wordings=8).wordings_of("r", "a, b || c, d")
    assert sum(set(text) <= set("ab, ") for text in both) == 4


@pytest.mark.parametrize("caption", ["", ",", "one", "a,,b"])
def test_odd_captions_are_no_trouble(caption: str) -> None:
    keys = {"shuffle": True, "keep_tokens": 3, "tag_dropout": 0.5, "between": "|"}
    assert len(Captions.model_validate(keys).wordings_of("r", caption, (f"{KEEP_LAST_TOKENS}2",))) == 8
