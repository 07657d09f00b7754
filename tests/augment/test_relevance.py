import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageDraw

from augment.relevance import Map, best_place, cells, detail
from augment.transforms.crop import Crop
from core.errors import MissingBase
from core.pixels import Pixels
from core.seeding import generator
from tests.augment.things import a_picture, a_record


def heart_and_ball(*, heart_left: bool) -> Pixels:
    """A red heart and a blue ball in opposite corners of a white ground."""
    image = Pillow.new("RGB", (192, 128), "white")
    pen = ImageDraw.Draw(image)
    (x, y), (left, top) = ((10, 10), (130, 70)) if heart_left else ((130, 70), (10, 10))
    pen.ellipse((x, y, x + 26, y + 26), fill="red")
    pen.ellipse((x + 22, y, x + 48, y + 26), fill="red")
    pen.polygon([(x + 2, y + 18), (x + 46, y + 18), (x + 24, y + 46)], fill="red")
    pen.ellipse((left, top, left + 48, top + 48), fill=(40, 90, 220))
    return np.asarray(image)


def corner(image: Pixels, caption: str) -> str:
    """Which half the crop around the subject is in."""
    drawn = Crop(where="subject", size=(0.5, 0.5)).apply_to(image, caption, generator(1)).drawn
    return "left" if int(drawn["x"] or 0) + 48 < 96 else "right"


@pytest.mark.parametrize("heart_left", [True, False])
def test_a_crop_around_the_subject_goes_where_the_caption_is_true(heart_left: bool) -> None:
    image = heart_and_ball(heart_left=heart_left)
    heart, ball = ("left", "right") if heart_left else ("right", "left")
    assert corner(image, "an emoji of a red heart") == heart
    assert corner(image, "a blue ball") == ball


def test_without_a_caption_the_part_that_stands_for_the_whole_is_cut_out() -> None:
    image = np.full((128, 192, 3), 255, np.uint8)
    image[64:, 96:] = heart_and_ball(heart_left=False)[64:, 96:]
    drawn = Crop(where="subject", size=(0.5, 0.5)).apply_to(image, "", generator(1)).drawn
    x, y = int(drawn["x"] or 0), int(drawn["y"] or 0)
    assert x <= 154 < x + 96
    assert y <= 93 < y + 64


def test_a_crop_around_the_most_detailed_region_holds_the_texture() -> None:
    image = np.full((120, 200, 3), 230, np.uint8)
    image[10:14, :] = 0  # one hard line does not outweigh it
    image[70:110, 140:190] = generator(1).integers(100, 200, (40, 50, 3))
    made = Crop(where="detail", size=(0.4, 0.4)).apply(image, generator(1))
    x, y, wide, tall = (int(made.drawn[key] or 0) for key in ("x", "y", "width", "height"))
    assert x <= 140
    assert x + wide >= 190
    assert y <= 70
    assert y + tall >= 110
    np.testing.assert_array_equal(made.pixels, image[y : y + tall, x : x + wide])


@pytest.mark.parametrize("where", ["detail", "subject"])
def test_a_flat_picture_is_cut_in_the_middle_and_says_the_same_again(where: str) -> None:
    flat = np.full((64, 96, 3), 128, np.uint8)
    block = Crop(where=where, size=(0.5, 0.5))  # type: ignore[arg-type]
    made = block.apply_to(flat, "a red cat", generator(1))
    assert (made.drawn["x"], made.drawn["y"]) == (24, 16)
    assert made.drawn == block.apply_to(flat, "a red cat", generator(2)).drawn
    assert block.variety == 1
    assert block.suits(a_record(), "")


@given(width=st.integers(1, 400), height=st.integers(1, 400), share=st.floats(0.05, 1), seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_the_best_place_lies_within_the_picture_whatever_counts(
    width: int, height: int, share: float, seed: int
) -> None:
    columns, rows = cells(width, height)
    counts: Map = generator(seed).random((rows, columns))
    wide, tall = max(1, round(width * share)), max(1, round(height * share))
    x, y = best_place(counts, width, height, wide, tall)
    assert 0 <= x <= width - wide
    assert 0 <= y <= height - tall


def test_maps_are_small_and_never_below_zero() -> None:
    found = detail(a_picture(1, 1000, 300))
    assert found.shape == (19, 64)
    assert found.min() >= 0


def test_a_clip_that_nobody_asks_and_one_that_is_not_there_are_told() -> None:
    with pytest.raises(ValueError, match="only `where: subject` asks a CLIP"):
        Crop(where="detail", clip="local-dir:/nowhere")
    with pytest.raises(MissingBase, match="no folder /nowhere"):
        Crop(where="subject", clip="local-dir:/nowhere").check()


def test_the_fingerprint_follows_from_the_clip_only_where_it_is_asked() -> None:
    assert Crop(where="detail").material == ""
    assert Crop(where="subject").material
