import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.wording import COLOURS, detail_of, pieces, with_tag, without_colours

WORDS = st.lists(
    st.sampled_from(
        ["a", "an", "and", "on", "background", "apple", "white", "dark", "light", "orange", *sorted(COLOURS)]
    ),
    max_size=8,
).map(" ".join)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("om style, a red apple, food, red, on a white background", "om style, an apple, food, on a white background"),
        (
            "an openmoji style emoji of a frog, green and white on a blue background",
            "an openmoji style emoji of a frog, white",
        ),
        ("a red and white flag", "a white flag"),
        ("an orange, fruit, orange", "an orange, fruit"),
        ("an orange cat on a light blue background", "a cat"),
        ("a dark red rose and a pale green leaf", "a rose and a leaf"),
        ("red and green, purple and black", "black"),
        ("an hour in a red room", "an hour in a room"),
        ("a bored dog, credit, greenhouse", "a bored dog, credit, greenhouse"),
        ("", ""),
    ],
)
def test_colour_words_go_and_the_rest_stays_english(text: str, left: str) -> None:
    assert without_colours(text) == left


@given(st.lists(WORDS, max_size=4).map(", ".join))
def test_whatever_is_said_no_colour_is_left_and_saying_it_again_changes_nothing(text: str) -> None:
    once = without_colours(text)
    assert without_colours(once) == once
    assert not (set(once.split()) & (COLOURS - {"orange"}))


@given(st.text(max_size=60))
def test_text_without_colour_words_keeps_its_pieces(text: str) -> None:
    if not COLOURS & set(text.lower().replace(",", " ").split()) and "colo" not in text.lower():
        assert pieces(without_colours(text)) == pieces(text)


def test_a_tag_is_said_once_and_a_detail_of_nothing_is_a_detail() -> None:
    assert with_tag(with_tag("a cat", "monochrome"), "monochrome") == "a cat, monochrome"
    assert detail_of("") == "a detail"
