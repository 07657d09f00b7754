"""The dataset card as a page and as Markdown."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.caption import Caption
from core.hashing import sha256_of
from curation.card import card
from flows.pages.data import cell, headline, write_card
from flows.pages.gallery import Gallery, of, spread
from store.image import Image as Stored
from store.store import Store
from tests.curation.test_card import a_file, a_record


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.open(tmp_path / "store")
    files = {f"{number}.png": a_file("PNG", "CC0", number) for number in range(3)}
    store.put_images(Stored(sha256_of(data), data, "image/png", 8, 8) for data in files.values())
    records = [a_record(name, data, width=8, height=8, group=name, split="train") for name, data in files.items()]
    store.put_records([*records, a_record("<b>.png", width=8, height=8, split="train", group="b")])  # has no bytes
    store.put_captions([Caption(records[0].id, user="a <script> of noise")])
    return store


def test_the_card_is_a_page_that_stands_on_its_own(store: Store, tmp_path: Path) -> None:
    paths = write_card(store, store.snapshot(), tmp_path / "run", "noise & more")
    page = paths["html"].read_text()
    assert page.count("data:image/png;base64,") == 3
    assert page.count('class="missing"') == 1
    assert "4 pictures: 4 to train on, 0 held out." in page
    assert "noise &amp; more" in page
    assert "a &lt;script&gt; of noise" in page
    assert "<script>" not in page
    assert "<b>.png" not in page
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)


def test_the_card_says_the_same_in_markdown(store: Store, tmp_path: Path) -> None:
    snapshot = store.snapshot()
    text = write_card(store, snapshot, tmp_path, "noise")["markdown"].read_text()
    assert text.startswith("# noise: dataset card\n\n4 pictures")
    for part in (f"- **manifest**: {snapshot.manifest}", "| 1:1 | 4 |", "| CC0 | 3 |", "| nobody | 3 |"):
        assert part in text


def test_the_card_of_a_snapshot_is_always_the_same(store: Store, tmp_path: Path) -> None:
    first = {name: path.read_bytes() for name, path in write_card(store, store.snapshot(), tmp_path, "x").items()}
    store.put_records(replace(record, verdict="removed") for record in store.records())
    again = write_card(store, store.at("data-0001"), tmp_path, "x")
    assert {name: path.read_bytes() for name, path in again.items()} == first


def test_an_empty_dataset_has_a_card(tmp_path: Path) -> None:
    empty = Store.open(tmp_path / "empty")
    assert headline(card(empty)) == "0 pictures: 0 to train on, 0 held out. 0 refused."
    assert write_card(empty, empty.snapshot(), tmp_path, "empty")["html"].exists()


def test_a_large_picture_is_shown_small(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    Image.fromarray(np.zeros((1200, 900, 3), np.uint8)).save(tmp_path / "large.png")
    data = (tmp_path / "large.png").read_bytes()
    store.put_images([Stored(sha256_of(data), data, "image/png", 900, 1200)])
    assert len(Gallery(store).picture(sha256_of(data), "black")) < 3000


@given(st.integers(0, 5000), st.integers(1, 60))
def test_what_is_shown_is_spread_and_bounded(total: int, most: int) -> None:
    chosen = spread(total, most)
    assert len(chosen) == len(set(chosen)) == min(total, most)
    assert all(0 <= at < total for at in chosen)
    assert (of(len(chosen), total) == "") == (total <= most)


@given(st.text())
def test_no_words_break_a_markdown_table(text: str) -> None:
    made = cell(text)
    assert "\n" not in made
    assert not re.search(r"(?<!\\)\|", made)
