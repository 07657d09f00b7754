"""`velatura search`, as a person calls it, and the stage that lets a CLIP see the pictures beforehand."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from core.errors import MissingBase, RecipeError, SourceError, StoreError, VelaturaError
from core.pixels import Pixels
from flows import stages
from flows.command_line import app
from flows.commands.search import hits_of
from flows.recipe import Recipe, check
from store.store import Store
from tests.flows.pictures import SMALL

COLOURS = {"red": (220, 40, 40), "green": (40, 170, 60), "blue": (40, 80, 220), "white": (255, 255, 255)}
FILTERS = [
    {"kind": "zero_shot", "refuse": {"green": ["an emoji on a green background"]}, "neutral": ["an emoji"]},
    "near_duplicate",
]


def face(ground: tuple[int, int, int]) -> Pixels:
    """A face on a ground of one colour."""
    y, x = np.mgrid[:128, :128]
    pixels = np.full((128, 128, 3), ground, np.uint8)
    pixels[(y - 64) ** 2 + (x - 64) ** 2 < 45**2] = (252, 234, 43)
    pixels[80:88, 44:84] = pixels[45:55, 44:54] = pixels[45:55, 74:84] = 0
    return pixels


def recipe_of(root: Path, **changes: object) -> Recipe:
    pictures = {"kind": "folder", "path": str(root / "pictures")}
    return check(SMALL | {"pictures": pictures, "home": str(root / "home"), "filters": FILTERS} | changes, "test")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("search")
    (root / "pictures").mkdir()
    for name, ground in COLOURS.items():
        Image.fromarray(face(ground)).save(root / "pictures" / f"{name}.png")
    (root / "pictures" / "broken.png").write_bytes(b"\x89PNG\r\n")
    (root / "pictures" / "red.txt").write_text("a face <on> red")
    return root


@pytest.fixture(scope="module")
def store(root: Path) -> Store:
    recipe = recipe_of(root)
    store = stages.open_store(recipe)
    with store.writer():
        stages.read_pictures(recipe, store)
        assert stages.embed_pictures(recipe, store) == 4
        before = store.size()["embeddings"]
        stages.choose_pictures(recipe, store)
        made = store.size()["embeddings"] - before
        assert made <= 3 + 4, "words, the scale, and four pictures' hashes of cuts; every picture has been seen"
    return store


def call(root: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["search", *words, "--home", str(root / "home")], catch_exceptions=False)


def found(root: Path, *words: str) -> list[dict[str, object]]:
    result = call(root, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_words_find_the_picture_that_they_describe(root: Path, store: Store) -> None:
    for colour in ("red", "blue"):
        hits = found(root, f"an emoji on a {colour} background")
        assert hits[0]["name"] == f"{colour}.png"
        assert [hit["cosine"] for hit in hits] == sorted((hit["cosine"] for hit in hits), reverse=True)


def test_a_picture_finds_itself_and_then_what_is_like_it(root: Path, store: Store) -> None:
    hits = found(root, "--picture", str(root / "pictures" / "blue.png"), "--count", "2")
    assert hits[0]["name"] == "blue.png" and len(hits) == 2
    assert hits[0]["cosine"] == pytest.approx(1, abs=1e-4)


def test_only_what_was_asked_for_is_looked_through(root: Path, store: Store) -> None:
    refused = found(root, "an emoji", "--verdict", "refused")
    assert [hit["name"] for hit in refused] == ["green.png"], "what cannot be decoded cannot be seen"
    assert {hit["name"] for hit in found(root, "an emoji", "--verdict", "all")} == {f"{name}.png" for name in COLOURS}
    sides = [{hit["name"] for hit in found(root, "an emoji", "--split", side)} for side in ("train", "held_out")]
    assert sides[0] and not sides[0] & sides[1]


def test_the_second_search_decodes_nothing(root: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    found(root, "an emoji")

    def fail(*_: object) -> None:
        raise AssertionError("no picture is read")

    monkeypatch.setattr(Store, "image", fail)
    assert len(hits_of(store, [r for r in store.records() if r.width], "an emoji", "pocket", 9)) == 4


def test_people_get_a_table_and_a_page_that_fetches_nothing(root: Path, store: Store, tmp_path: Path) -> None:
    page = tmp_path / "found.html"
    result = call(root, "an emoji <b>", "--count", "3", "--html", str(page))
    assert "the nearest 3 of 3" in result.stdout and str(page) in result.stdout.replace("\n", "")
    html = page.read_text()
    assert html.count('<img src="data:image/') == 3
    assert "an emoji &lt;b&gt;" in html and "a face &lt;on&gt; red" in html
    assert not re.search(r"(src|href)=\"http", html)


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        ((), RecipeError, "either words or a picture"),
        (("a", "--picture", "x.png"), RecipeError, "either words or a picture"),
        (("--picture", "/nowhere.png"), SourceError, "/nowhere.png cannot be read"),
        (("a", "--verdict", "removed"), StoreError, "no pictures of verdict removed"),
        (("a", "--clip", "local-dir:/nowhere"), MissingBase, "no folder /nowhere"),
        (("a", "--dataset", "nothing"), StoreError, "has no dataset 'nothing'"),
    ],
)
def test_mistakes_are_told_in_words(
    root: Path, store: Store, words: tuple[str, ...], error: type[VelaturaError], said: str
) -> None:
    with pytest.raises(error, match=said):
        call(root, *words)


def test_a_file_that_is_no_picture_cannot_be_looked_for(root: Path, store: Store) -> None:
    with pytest.raises(SourceError, match=r"red.txt cannot be looked for"):
        call(root, "--picture", str(root / "pictures" / "red.txt"))


def test_a_run_that_asks_no_clip_embeds_nothing_beforehand(root: Path, store: Store) -> None:
    recipe = recipe_of(root, filters=["near_duplicate"])
    assert stages.embed_pictures(recipe, store) == 0
    asked = [{"kind": "near_duplicate", "embedding": 0.97}]
    assert stages.embed_pictures(recipe_of(root, filters=asked), store) == 4
    assert stages.embed_pictures(recipe_of(root, filters=[], split={"embedding": 0.97}), store) == 4
