from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbones.tokens import Tokens
from captioning.facets import vocabulary
from captioning.lint import Linted, Ruler, lint
from captioning.replacing import replaced, tidy
from core.caption import Caption
from core.errors import RecipeError
from tests.captioning.things import a_record

TOKENS = Tokens.of("pocket")
RULER = Ruler(TOKENS.cut, TOKENS.count, vocabulary("default"), trigger="om style")
RECORDS = [a_record(number) for number in range(10)]


def linted(*texts: str, ruler: Ruler = RULER) -> Linted:
    records = RECORDS[: len(texts)]
    captions = {r.id: Caption(r.id, automatic=text) for r, text in zip(records, texts, strict=True)}
    return lint(records, captions, ruler)


def found(*texts: str, ruler: Ruler = RULER) -> list[tuple[str, str]]:
    return [(finding.code, finding.words) for finding in linted(*texts, ruler=ruler).findings]


def test_a_good_caption_has_nothing_to_find_fault_with() -> None:
    assert found("om style, a red apple, on a white background") == []


def test_a_missing_trigger_and_a_missing_caption_are_found() -> None:
    assert [code for code, _ in found("a red apple", "", "an om  Style apple")] == ["no_trigger", "empty"]


def test_a_tag_that_is_everywhere_is_proposed_to_be_pruned_but_not_the_trigger() -> None:
    texts = [f"om style, thing {number} on a white background, simple" for number in range(9)] + ["om style, odd"]
    said = [words for code, words in found(*texts) if code == "everywhere"]
    assert any("'simple' is in 9 of 10" in words for words in said)
    assert any("'on white background' is in 9 of 10" in words for words in said)
    assert not any("om style" in words for words in said)


def test_two_answers_to_one_question_contradict_each_other_unless_one_implies_the_other() -> None:
    (only,) = found("om style, in a forest, in a kitchen")
    assert only == ("contradiction", "place: it says 'in a forest' and 'in a kitchen'")
    assert found("om style, in a forest, outdoors") == []
    assert found("om style, red, white") == []  # more than one colour is no contradiction


def test_colour_words_on_a_picture_without_colour_are_found() -> None:
    grey = replace(RULER, colourless=lambda record: True)
    assert found("om style, a red apple", ruler=grey) == [("colourless", "it says red, but the picture has no colour")]
    assert found("om style, a black and white apple", ruler=grey) == []


def test_a_caption_that_fits_its_picture_worse_than_nearly_all_others_is_shown() -> None:
    records = [a_record(number) for number in range(40)]
    own = np.eye(40, dtype=np.float32) + 0.02 * np.random.default_rng(0).random((40, 40), np.float32)
    swapped = own[[1, 0, *range(2, 40)]].copy()  # the first two have each other's
    swapped[0] -= 0.1 * own[0]  # and one of them is as far from its picture as can be
    captions = {r.id: Caption(r.id, automatic=f"om style, thing {at}") for at, r in enumerate(records)}
    seen = replace(RULER, seen=lambda asked, texts: (own, swapped))
    told = [one for one in lint(records, captions, seen).findings if one.code == "another's"]
    assert told[0].record == records[0].id and len(told) <= 2 and "'om style, thing 0'" in told[0].words
    mixed = replace(RULER, seen=lambda asked, texts: (own, np.roll(own, 1, axis=0)))
    assert [one.code for one in lint(records, captions, mixed).findings if one.code != "everywhere"] == ["mixed_up"]


def test_the_tail_that_the_base_never_reads_is_shown() -> None:
    text = "om style, " + ", ".join(["many words"] * 60) + ", the end"
    tails = [words for code, words in found(text) if code == "cut_off"]
    assert len(tails) == 1
    assert tails[0].endswith("the end'")
    read, tail = TOKENS.cut(text)
    assert TOKENS.count(read) <= TOKENS.room
    assert text.startswith(read)
    assert text.endswith(tail)


@given(st.text(max_size=400))
def test_a_text_is_cut_exactly_where_the_tokens_end(text: str) -> None:
    read, tail = TOKENS.cut(text)
    assert bool(tail) == (TOKENS.count(text) > TOKENS.room) or not text.strip()
    assert TOKENS.count(read) <= TOKENS.room


def test_tokens_and_sources_are_counted() -> None:
    heavy = replace(RECORDS[1], source="other", weight=3.0)
    captions = {RECORDS[0].id: Caption(RECORDS[0].id, "om style"), heavy.id: Caption(heavy.id, user="om style, a cat")}
    made = lint([RECORDS[0], heavy, RECORDS[2]], captions, RULER)
    assert sum(made.tokens.values()) == 3
    assert made.sources["other"] == {"pictures": 1, "weight": 3, "person": 1, "machine": 0, "none": 0}
    assert made.sources["test"] == {"pictures": 2, "weight": 2, "person": 0, "machine": 1, "none": 1}


def said(**texts: str) -> dict[str, Caption]:
    return {key: Caption(key, automatic=text) for key, text in texts.items()}


def test_replacing_changes_only_what_says_it() -> None:
    captions = said(a="a red shirt, red", b="a blue shirt")
    assert replaced(captions, "red", "green") == {"a": "a green shirt, green"}
    assert replaced(captions, "RED", "green") == {}
    assert replaced(captions, "RED", "green", ignore_case=True) == {"a": "a green shirt, green"}
    assert replaced(captions, "a red shirt", "red") == {"a": "red"}  # what is then said twice is said once
    assert replaced(captions, ", red", "") == {"a": "a red shirt"}
    assert replaced(captions, r"\w", "x") == {}  # plain unless it is said


def test_replacing_by_a_regular_expression_knows_groups_and_tells_mistakes() -> None:
    captions = said(a="a red shirt", b="a blue shirt")
    assert replaced(captions, r"a (\w+) shirt", r"\1 cloth", regex=True) == {"a": "red cloth", "b": "blue cloth"}
    assert replaced(captions, "red", r"\1", regex=False) == {"a": r"a \1 shirt"}
    for old, new in (("(", "x"), ("red", r"\7")):
        with pytest.raises(RecipeError, match="no regular expression"):
            replaced(captions, old, new, regex=True)
    with pytest.raises(RecipeError, match="nothing to look for"):
        replaced(captions, "", "x")


@given(st.text("ab, ", max_size=20))
def test_a_tidy_caption_stays_as_it_is(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)
    assert ", ," not in tidy(text)
