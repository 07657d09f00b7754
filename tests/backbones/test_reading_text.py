from pathlib import Path

import pytest
import torch

from backbones.backbone import Backbone
from backbones.emphasis import parsed
from backbones.encoding import conditionings
from backbones.family import family_of
from backbones.reading_text import TextReading, pieces_of, states_of
from backbones.tokens import Tokens
from core.cache import Memory
from tests.backbones.tiny import make_sd15

LONG = ", ".join(f"a red house number {n}" for n in range(40))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    folder: Path = make_sd15(tmp_path_factory.mktemp("reading") / "base", layers=1)
    return family_of(str(folder)).load()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a cat", [("a cat", 1.0)]),
        ("a (cat:1.3) here", [("a ", 1.0), ("cat", 1.3), (" here", 1.0)]),
        ("(a)", [("a", 1.1)]),
        ("((a))", [("a", 1.1 * 1.1)]),
        ("[a]", [("a", 1 / 1.1)]),
        (r"\(a\)", [("(a)", 1.0)]),
        ("(a (b:2) c:0.5)", [("a ", 0.5), ("b", 1.0), (" c", 0.5)]),
        ("(open", [("open", 1.1)]),
        ("shut) 3:4", [("shut) 3:4", 1.0)]),
        ("(a:x)", [("a:x", 1.1)]),
        ("", []),
    ],
)
def test_weights_are_read_as_in_the_web_ui(text: str, found: list[tuple[str, float]]) -> None:
    read = parsed(text)
    assert [words for words, _ in read] == [words for words, _ in found]
    assert [weight for _, weight in read] == pytest.approx([weight for _, weight in found])


def test_without_marks_a_reading_gives_what_the_base_gives(base: Backbone) -> None:
    plain = base.encode_text(["a red house", ""])["hidden"]
    assert torch.equal(states_of(base, ["a red house", ""], TextReading())["hidden"], plain)
    assert torch.equal(states_of(base, ["a red house", ""], TextReading(emphasis=True))["hidden"], plain)
    long = states_of(base, ["a red house", ""], TextReading(150))["hidden"]
    assert long.shape == (2, 154, 32)
    assert torch.equal(long[:, :77], plain)


def test_a_weighted_word_is_stronger_and_all_together_as_large_as_before(base: Backbone) -> None:
    plain = base.encode_text(["a red house"])["hidden"][0]
    strong = states_of(base, ["a (red:1.5) house"], TextReading(emphasis=True))["hidden"][0]
    ratio = strong / plain
    assert torch.allclose(strong.norm(), plain.norm(), rtol=1e-4)
    rest = ratio[[0, 1, 3, 4, 76]]
    assert torch.allclose(rest, rest[0, 0].expand_as(rest), rtol=1e-3)
    assert torch.allclose(ratio[2], 1.5 * ratio[0], rtol=1e-3), "red is the second word"
    assert not torch.equal(states_of(base, ["a (red:1.5) house"], TextReading())["hidden"][0], strong)


def test_long_texts_are_cut_at_commas_and_all_of_them_is_read(base: Backbone) -> None:
    tokens = Tokens(base.files)
    assert tokens.count(LONG) > 150
    pieces = pieces_of(LONG, tokens, TextReading(225))
    assert len(pieces) == 3
    assert all(tokens.count(piece.text) <= 75 for piece in pieces)
    assert all(piece.text.endswith(",") for piece in pieces[:2])
    assert LONG.startswith(" ".join(piece.text for piece in pieces))
    assert all(len(piece.weights) == tokens.count(piece.text) for piece in pieces)
    far = LONG.replace("number 30", "number 99")
    short, long = TextReading(75), TextReading(225)
    assert torch.equal(states_of(base, [LONG], short)["hidden"], states_of(base, [far], short)["hidden"])
    assert not torch.equal(states_of(base, [LONG], long)["hidden"], states_of(base, [far], long)["hidden"])


def test_a_word_longer_than_a_piece_is_cut_anyway(base: Backbone) -> None:
    pieces = pieces_of("x" * 900, Tokens(base.files), TextReading(150))
    assert len(pieces) == 2
    assert all(1 <= len(piece.weights) <= 75 for piece in pieces)


def test_each_way_of_reading_is_cached_for_itself_and_nothing_is_encoded_twice(base: Backbone) -> None:
    cache = Memory()
    plain = conditionings(base, ["a (red:1.5) house"], cache)
    strong = conditionings(base, ["a (red:1.5) house"], cache, TextReading(emphasis=True))
    assert not torch.equal(plain["a (red:1.5) house"]["hidden"], strong["a (red:1.5) house"]["hidden"])
    held = len(cache._arrays)
    again = conditionings(base, ["a (red:1.5) house"], cache, TextReading(emphasis=True))
    assert len(cache._arrays) == held
    assert torch.equal(again["a (red:1.5) house"]["hidden"], strong["a (red:1.5) house"]["hidden"])
