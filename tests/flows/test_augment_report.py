import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from augment.acceptance import APART
from augment.augment import augment
from augment.png import png_of
from augment.transforms.black_and_white import BlackAndWhite
from augment.transforms.color_skew import ColorSkew
from augment.transforms.crop import Crop
from core.caption import Caption
from core.errors import NotEnoughData
from core.hashing import sha256_of
from core.record import Reason, Record
from curation.filters.near_duplicate import NearDuplicate
from curation.filters.resolution import Resolution
from curation.filters.sharpness import Sharpness
from flows.command_line import app
from flows.home import Home
from flows.inspecting import Quality
from flows.job import reader
from flows.pages.augment import chosen, write_augment_page
from store.image import Image
from store.store import Store
from tests.augment.things import a_picture, a_record


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three pictures and what was made of them; one crop is refused in words that need escaping."""
    store = Store.open(Home.of(str(tmp_path)).store("fruit"))
    parents = [a_record(number) for number in (1, 2, 3)]
    for number, record in enumerate(parents, 1):
        data = png_of(a_picture(number))
        store.put_images([Image(sha256_of(data), data, "image/png", record.width, record.height)])
    store.put_records(parents)
    store.put_captions(Caption(record.id, "a red <apple>") for record in parents)
    augment(store, [ColorSkew(), BlackAndWhite(), Crop()], 2, 1, reader(store))
    crop = next(r for r in store.records() if r.made_by.startswith("crop"))
    store.put_records([crop.refuse(Reason("made_drifted", "likeness <0.10>"))])
    return store


def test_the_page_shows_parents_children_and_reasons_and_stands_on_its_own(store: Store, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["report", "augment", "--home", str(tmp_path), "--out", str(tmp_path / "a.html")])
    assert result.exit_code == 0, result.output
    assert "14 kept, 1 refused" in result.output
    page = (tmp_path / "a.html").read_text()
    assert page.count("<img ") == 3 + 15
    assert page.count('class="family"') == 3
    assert "likeness &lt;0.10&gt;" in page
    assert "a red &lt;apple&gt;" in page
    assert "1 made drifted" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)


def test_the_page_is_bounded_and_shows_whole_families(store: Store, tmp_path: Path) -> None:
    write_augment_page(store, tmp_path / "a.html", "fruit", most=5)
    page = (tmp_path / "a.html").read_text()
    assert page.count('class="family"') == 1
    assert "5 of 15 are shown" in page
    derived = [record for record in store.records() if record.depth]
    assert len(chosen(derived, 100)) == 15
    assert len({record.parent for record in chosen(derived, 10)}) == 2


def test_what_was_made_from_a_made_picture_stands_beside_that_one(store: Store, tmp_path: Path) -> None:
    augment(store, [BlackAndWhite(), Crop()], 1, 1, reader(store), depth=2)
    write_augment_page(store, tmp_path / "a.html", "fruit", most=100)
    page = (tmp_path / "a.html").read_text()
    assert page.count('class="family"') == 3 + 6
    assert page.count("<b>crop of ") == page.count("<b>black_and_white of ") == 3


def test_a_picture_that_is_lost_is_a_frame_and_not_the_end(store: Store, tmp_path: Path) -> None:
    lost = next(record for record in store.records() if record.depth)
    store.put_records([replace(lost, sha256="0" * 64)])
    write_augment_page(store, tmp_path / "a.html", "fruit", most=100)
    assert (tmp_path / "a.html").read_text().count("no picture") == 1


def test_nothing_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotEnoughData, match="nothing was made"):
        write_augment_page(Store.open(tmp_path / "empty"), tmp_path / "a.html", "fruit", most=9)


@pytest.fixture
def quality() -> Callable[[Sharpness], Quality]:
    def made(one: Sharpness) -> Quality:
        def read(record: Record) -> np.ndarray:  # type: ignore[type-arg]
            return a_picture(int(record.name[0]))

        return Quality.of([Resolution(shortest=9999), one, NearDuplicate()], read, None)  # type: ignore[arg-type]

    return made


def test_what_a_model_drew_has_to_pass_the_filters_of_real_pictures_but_for_its_size(
    quality: Callable[[Sharpness], Quality],
) -> None:
    looks = quality(Sharpness(least=1))
    scores = looks.measure(a_picture(1), a_picture(2))
    assert scores[APART] > 0.2
    scored, unscored = a_record(1, quality=scores), a_record(2)
    assert {reason.code for reason in looks.judge([scored, unscored]).values()} == {"blurred"}
    assert quality(Sharpness(least=0)).judge([scored, unscored]) == {}


def test_a_picture_is_not_apart_from_itself_nor_from_a_brighter_copy(quality: Callable[[Sharpness], Quality]) -> None:
    looks, flat = quality(Sharpness()), np.full((40, 40, 3), 7, np.uint8)
    image = a_picture(1) // 2
    assert looks.measure(image, image)[APART] < 0.01
    assert looks.measure(image, image + 40)[APART] < 0.05
    assert looks.measure(flat, flat)[APART] == pytest.approx(0)
    assert looks.measure(flat, image)[APART] == pytest.approx(1)
