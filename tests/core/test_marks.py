from captioning.source_words import source_words
from core.marks import DERIVED, KEEP_LAST_TOKENS, KEEP_TOKENS, REGULARISATION, is_mark, never_held_out, root_of, shown
from core.record import Record


def test_marks_are_told_from_words_that_say_what_is_shown() -> None:
    marks = (REGULARISATION, f"{DERIVED}abc", f"{KEEP_TOKENS}2", f"{KEEP_LAST_TOKENS}1")
    assert all(map(is_mark, marks))
    assert shown(("sks dog", *marks, "derived", "keep")) == ("sks dog", "derived", "keep")
    assert (root_of(marks), root_of(("dog",))) == ("abc", "")
    assert [never_held_out((mark,)) for mark in marks] == [True, True, False, False]


def test_marks_are_never_words_of_a_caption() -> None:
    record = Record("id", "sha", "s", "a.png", "/a.png", tags=("dog", f"{KEEP_TOKENS}2"))
    assert source_words(record, "sks", "") | {"name": ""} == {
        "trigger": "sks",
        "class_word": "dog",
        "name": "",
        "folder": "",
    }


def test_a_regularisation_picture_gets_no_trigger() -> None:
    record = Record("id", "sha", "s", "a.png", "/a.png", tags=("dog", REGULARISATION))
    words = source_words(record, "sks", "")
    assert (words["trigger"], words["class_word"]) == ("", "dog")
