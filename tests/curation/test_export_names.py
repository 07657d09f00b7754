"""Whatever pictures are called, exports have files for them, and give the names back."""

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.export import Export
from curation.export_names import shards, stems, suffix_of
from tests.curation.conftest import encoded, scene
from tests.curation.exports import MATCHING, an_item, told, wanted

WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30).map(lambda text: " ".join(text.split()))
NAMES = st.lists(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=300), unique=True, max_size=6)
TAGS = st.lists(WORDS.filter(bool), max_size=3).map(tuple)
WEIGHTS = st.one_of(st.integers(0, 40).map(float), st.floats(0.001, 1000))


@pytest.mark.parametrize("kind", Export.kinds())
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_pictures_are_called_and_said_to_be_comes_back(kind: str, data: st.DataObject) -> None:
    items = [
        an_item(
            name,
            number,
            caption=data.draw(WORDS),
            tags=data.draw(TAGS),
            weight=data.draw(WEIGHTS),
            split=data.draw(st.sampled_from(["train", "held_out", ""])),
        )
        for number, name in enumerate(["first.png", *data.draw(NAMES.filter(lambda names: "first.png" not in names))])
    ]
    with tempfile.TemporaryDirectory() as folder:
        Export.parse(kind).write(items, Path(folder), Path(folder))
        assert told(MATCHING[kind](Path(folder)).pictures()) == Counter(map(wanted, items))


@given(NAMES)
def test_file_names_are_flat_safe_and_never_the_same(names: list[str]) -> None:
    given_names = stems(names)
    assert len({name.casefold() for name in given_names}) == len(names)
    for name in given_names:
        assert name
        assert not name.startswith(".")
        assert not set(name) & set('/\\:*?"<>|\n\0')
        assert len(name.encode()) < 200


@given(st.lists(st.integers(0, 100), max_size=40), st.integers(1, 150))
def test_shards_hold_everything_once_and_no_more_than_fits(sizes: list[int], most: int) -> None:
    cut = shards(sizes, most)
    assert [at for part in cut for at in part] == list(range(len(sizes)))
    assert all(sum(sizes[at] for at in part) <= most or len(part) == 1 for part in cut)


@pytest.mark.parametrize(
    ("name", "kind", "suffix"),
    [
        ("a.PNG", "PNG", ".png"),
        ("a.png", "JPEG", ".jpg"),
        ("a.jpeg", "JPEG", ".jpeg"),
        ("a", "WEBP", ".webp"),
        ("a.v2", "TGA", ".tga"),
        ("a.tga", "TGA", ".tga"),
        ("a.jpg", "TIFF", ".tif"),
    ],
)
def test_a_suffix_says_what_the_bytes_are(name: str, kind: str, suffix: str) -> None:
    assert suffix_of(name, encoded(scene(1), kind)) == suffix
