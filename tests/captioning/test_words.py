from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioning.facets import vocabulary
from captioning.filling import check, fill
from captioning.source_words import words_in
from core.errors import RecipeError

KNOWN = ("trigger", "subject", "group", "palette", "tags")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            {
                "trigger": "openmoji",
                "subject": "a red apple",
                "palette": "red and green",
                "tags": "on a white background",
            },
            "an openmoji style emoji of a red apple, red and green, on a white background",
        ),
        ({"trigger": "openmoji", "group": "food and drink"}, "an openmoji style emoji of food and drink"),
        ({"trigger": "noto"}, "a noto style emoji"),
        ({"trigger": "noto", "tags": "red"}, "a noto style emoji, red"),
    ],
)
def test_parts_without_words_disappear(words: dict[str, str], text: str) -> None:
    template = "{a trigger} style emoji[ of {subject|group}][, {palette}][, {tags}]"
    check(template, KNOWN)
    assert fill(template, words) == text


def test_commas_of_empty_words_disappear() -> None:
    assert fill("{trigger}, {subject}, {tags}", {"subject": "a cat"}) == "a cat"
    assert fill("{trigger}, {subject}, {tags}", {"trigger": "om", "tags": "red"}) == "om, red"
    assert fill("{a trigger}", {}) == ""


@given(st.dictionaries(st.sampled_from(KNOWN), st.text("ab ,[]{}|", max_size=8)))
def test_a_users_words_are_never_read_as_a_template(words: dict[str, str]) -> None:
    text = fill("[{trigger}, ][of {subject}, ]{tags}", words)
    assert ", ," not in text
    assert "  " not in text
    assert text == text.strip(" ,")


@pytest.mark.parametrize("wrong", ["{trigger", "[{trigger}", "a ]", "[[{trigger}]]", "{}", "{Trigger}"])
def test_half_a_bracket_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="template"):
        check(wrong, KNOWN)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("IMG_0042.JPG", ""),
        ("1F34E.svg", ""),
        ("u1f34e_red_apple.png", "red apple"),
        ("redApple-2 (copy).jpeg", "red apple"),
        ("deep/er/a cat in a hat 03.png", "a cat in a hat"),
        ("кот_и_пёс.png", "кот и пёс"),
        ("DSC01234-facade.webp", "facade"),
        ("cafe.png", "cafe"),
        ("noextension", "noextension"),
        ("2024.01.02 birthday", "birthday"),
    ],
)
def test_the_words_in_a_file_name(name: str, words: str) -> None:
    assert words_in(name) == words


def test_the_example_in_the_manual_is_read() -> None:
    manual = Path(__file__).parents[2] / "docs" / "captions.md"
    (example,) = (block for block in manual.read_text().split("```") if block.startswith("yaml\nsubject:"))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "words.yaml"
        path.write_text(example.removeprefix("yaml\n"))
        facets = vocabulary(str(path))
    assert facets["subject"].phrases[-1].say == "my dog Rex"
    assert facets["finish"].exclusive
    assert facets["finish"].phrases[1].implies == ("a glaze",)
    assert not facets["season"].exclusive


def test_our_vocabulary_has_two_thousand_phrases_and_says_nothing_twice() -> None:
    facets = vocabulary("default")
    asked = "subject count action framing setting light medium style palette mood quality group"
    assert set(asked.split()) <= facets.keys()
    assert sum(len(facet.phrases) for facet in facets.values()) >= 2000
    for facet in facets.values():
        forms = [form for phrase in facet.phrases for form in phrase.forms]
        assert len(forms) == len(set(forms)), f"{facet.name} looks for the same words twice"
        assert facet.templates
        assert not facet.exclusive or facet.null
    headings = {said for phrase in facets["subject"].phrases for said in phrase.implies}
    assert {phrase.say for phrase in facets["group"].phrases} <= headings
    articles = [p.say for p in facets["subject"].phrases if p.say.startswith(("a a", "a e", "a i", "a o"))]
    assert articles == []


def test_a_users_file_adds_phrases_and_facets_and_may_replace_ours(tmp_path: Path) -> None:
    path = tmp_path / "words.yaml"
    path.write_text(
        "subject: [a red kettle, {say: my dog, also: [rex], implies: [a dog]}]\n"
        "season: [in_spring, in winter]\n"
        "group: {exclusive: true, 'null': [nothing], phrases: [this, that]}\n"
    )
    facets = vocabulary(str(path))
    assert facets["subject"].phrases[-2].say == "a red kettle"
    assert facets["subject"].phrases[-1].forms == ("my dog", "rex")
    assert [phrase.say for phrase in facets["season"].phrases] == ["in spring", "in winter"]
    assert len(facets["group"].phrases) == 2
    assert facets["subject"].fingerprint != vocabulary("default")["subject"].fingerprint
    assert facets["palette"].fingerprint == vocabulary("default")["palette"].fingerprint


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("- a list", "expected facets"),
        ("subject: 3", "expected a list"),
        ("subject: [3]", "a phrase is words"),
        ("mood: {phrases: [a], colour: 1}", "colour: no such key; known here: .*threshold"),
        ("mood: {phrases: [a], exclusive: true}", "needs `null:`"),
        ("mood: {phrases: [], templates: ['{}']}", "at least 1 item"),
        ("mood: {phrases: [a], templates: [no place]}", "templates"),
        ("mood: {phrases: [a], most: many}", "most"),
        ("{", "not YAML"),
    ],
)
def test_a_mistake_in_a_users_file_is_said_with_its_place(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "words.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=word) as caught:
        vocabulary(str(path))
    assert str(path) in str(caught.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        vocabulary(str(tmp_path / "none.yaml"))
