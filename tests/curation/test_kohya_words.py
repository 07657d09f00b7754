"""Captions as kohya understands them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.kohya_config import Subset
from curation.kohya_words import wording
from tests.curation.kohya import config, found, noted, put


@pytest.mark.parametrize(
    ("text", "fields", "caption", "keep", "keep_last"),
    [
        ("a, b", {}, "a, b", 0, 0),
        ("a, b", {"keep_tokens": 1}, "a, b", 1, 0),
        ("a, b ||| c, d ||| e", {"keep_tokens_separator": "|||"}, "a, b, c, d, e", 2, 1),
        ("c", {"keep_tokens_separator": "|||", "caption_prefix": "a, b |||"}, "a, b, c", 2, 0),
        ("a|b", {"caption_separator": "|", "keep_tokens": 1}, "a, b", 1, 0),
        ("sky;;;day, x", {"secondary_separator": ";;;"}, "sky,day, x", 0, 0),
        ("{{retro}} cat", {"enable_wildcard": True}, "{retro} cat", 0, 0),
        ("{a|a} {b}", {"enable_wildcard": True}, "a b", 0, 0),
        ("\nsecond", {}, "second", 0, 0),
    ],
)
def test_a_captions_text_is_understood_as_kohya_does(
    text: str, fields: dict[str, object], caption: str, keep: int, keep_last: int
) -> None:
    said = wording(text, Subset(image_dir="x", **fields), "p")
    assert (said.text, said.keep, said.keep_last) == (caption, keep, keep_last)


def test_wildcards_are_drawn_once_for_each_picture_and_a_set_sees_them_all(tmp_path: Path) -> None:
    subset = Subset(image_dir="x", enable_wildcard=True)
    drawn = {wording("{red|blue} cat\ndog", subset, str(name)).text for name in range(60)}
    assert drawn == {"red cat", "blue cat", "dog"}
    put(tmp_path / "set", p1="{red|blue} cat", p2="dog")
    path = config(
        tmp_path,
        "[[datasets]]\nenable_wildcard = true\ncaption_extension = '.txt'\n[[datasets.subsets]]\nimage_dir = 'set'",
    )
    assert "1 captions have several lines or wildcards" in noted(found(path))
    assert [p.caption for p in found(path).values()] == [p.caption for p in found(path).values()]


@given(st.text(max_size=40), st.text(max_size=4), st.booleans(), st.integers(0, 3))
def test_any_caption_becomes_one_line_that_can_be_stored(text: str, mark: str, wildcard: bool, keep: int) -> None:
    subset = Subset(image_dir="x", keep_tokens=keep, keep_tokens_separator=mark, enable_wildcard=wildcard)
    said = wording(text, subset, "p")
    assert said.text == " ".join(said.text.split())
    said.text.encode()
