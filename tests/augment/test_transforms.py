import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.library import functional
from augment.png import png_of
from augment.transform import Transform
from augment.transforms.black_and_white import BlackAndWhite
from augment.transforms.color_skew import ColorSkew
from augment.transforms.crop import Crop
from augment.transforms.flip import Flip
from core.seeding import generator
from tests.augment.things import a_picture, a_record, made_in_another_process

KINDS = Transform.kinds()


@pytest.mark.parametrize("kind", KINDS)
def test_every_transform_is_repeatable_and_says_what_it_drew_in_plain_values(kind: str) -> None:
    block, image = Transform.of_kind(kind)(), a_picture()
    first, second = (block.apply(image, generator("record-1", 7)) for _ in range(2))
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert first.drawn == second.drawn
    assert all(type(value) in (str, int, float, bool) for value in first.drawn.values())


@pytest.mark.parametrize("kind", KINDS)
def test_every_transform_leaves_its_input_alone_and_makes_a_picture_of_its_own(kind: str) -> None:
    block, image = Transform.of_kind(kind)(), a_picture()
    before = image.copy()
    made = block.apply(image, generator("record-1", 7)).pixels
    made[:] = 0
    np.testing.assert_array_equal(image, before)
    assert made.dtype == np.uint8
    assert made.ndim == 3
    assert min(made.shape[:2]) > 0
    assert made.shape[2] == 3
    assert made.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_transform_takes_read_only_pictures_of_any_shape(kind: str) -> None:
    block = Transform.of_kind(kind)()
    for number, (width, height) in enumerate([(1, 1), (3, 200), (200, 3), (64, 64)]):
        image = np.resize(a_picture(number), (height, width, 3))
        image.flags.writeable = False
        made = block.apply(image, generator(number)).pixels
        assert min(made.shape[:2]) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_transform_with_its_defaults_suits_an_ordinary_picture(kind: str) -> None:
    block = Transform.of_kind(kind)()
    assert block.suits(a_record(), "om style, a red apple")
    assert Transform.parse(block.dump()).fingerprint == block.fingerprint


@pytest.mark.parametrize("kind", KINDS)
def test_every_transforms_caption_is_true_of_no_picture_twice(kind: str) -> None:
    block = Transform.of_kind(kind)()
    drawn = block.apply(a_picture(), generator(1)).drawn
    text = block.caption("om style, a red apple, on a blue background", drawn)
    assert text
    assert "  " not in text
    assert block.caption("", drawn) == block.caption("", drawn)


def test_the_same_seed_gives_the_same_bytes_in_any_order_and_in_another_process() -> None:
    numbers = [1, 2, 3]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        there = {kind: pool.submit(made_in_another_process, kind, numbers[::-1], 5).result() for kind in KINDS}
    for kind in KINDS:
        assert made_in_another_process(kind, numbers, 5) == there[kind][::-1]


def test_color_skew_draws_from_the_distribution_that_it_documents() -> None:
    block, dot = ColorSkew(saturation=(0.5, 2.0), hue=(-30, 30), channels=0.1), a_picture(width=1, height=1)
    drawn = [block.apply(dot, generator(number)).drawn for number in range(2000)]
    logs = np.log2([float(d["saturation"] or 0) for d in drawn])
    hues = np.array([float(d["hue"] or 0) for d in drawn])
    pulls = np.array([[float(v or 0) for k, v in d.items() if k.startswith(("low_", "high_"))] for d in drawn])
    assert logs.min() >= -1
    assert logs.max() <= 1
    assert abs(logs.mean()) < 0.04  # the mean of 2,000 from a uniform of width 2 has a spread of .013
    assert abs(logs.std() - 2 / np.sqrt(12)) < 0.03
    assert np.abs(hues).max() <= 30
    assert abs(hues.mean()) < 1.2
    assert abs(hues.std() - 60 / np.sqrt(12)) < 0.8
    assert pulls.shape[1] == 6
    assert np.abs(pulls).max() <= 0.2
    assert np.abs(pulls.mean(0)).max() < 0.01
    assert np.abs(pulls.std(0) - 0.096).max() < 0.008  # a normal cut off at two spreads, its tails put on the ends
    correlation = np.corrcoef(np.column_stack([logs, hues, pulls]).T) - np.eye(8)
    assert np.abs(correlation).max() < 0.1


def test_color_skew_can_be_made_again_by_hand_from_what_it_drew() -> None:
    made = ColorSkew().apply(a_picture(), generator(3))
    drawn = {key: float(value or 0) for key, value in made.drawn.items()}
    pixel = functional("pixel")
    again = pixel.adjust_hue_torchvision(
        pixel.adjust_saturation_torchvision(a_picture(), drawn["saturation"]), drawn["hue"] / 360
    )
    low, high = (np.array([drawn[f"{end}_{c}"] for c in ("red", "green", "blue")]) for end in ("low", "high"))
    np.testing.assert_array_equal(made.pixels, pixel.move_tone_curve(again, 1 / 3 + low, 2 / 3 + high))


def test_color_skew_keeps_black_lines_black_and_white_grounds_white() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[:4] = 255
    for number in range(20):
        np.testing.assert_array_equal(ColorSkew(channels=0.3).apply(image, generator(number)).pixels, image)


def test_color_skew_without_anything_to_draw_changes_nothing() -> None:
    still = ColorSkew(saturation=(1, 1), hue=(0, 0), channels=0)
    np.testing.assert_array_equal(still.apply(a_picture(), generator(1)).pixels, a_picture())


def test_color_words_go_only_when_the_hue_has_left_them() -> None:
    text = "om style, a red apple, red, on a white background"
    assert ColorSkew().caption(text, {"hue": 5.0}) == text
    assert ColorSkew().caption(text, {"hue": -90.0}) == "om style, an apple, on a white background"


@pytest.mark.parametrize(
    ("wrong", "word"),
    [({"saturation": (0, 1)}, "above 0"), ({"hue": (-200, 0)}, "180"), ({"hue": (5, -5)}, "above the upper")],
)
def test_color_skew_refuses_what_makes_no_sense(wrong: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        ColorSkew(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["weighted_average", "from_lab", "desaturation", "average", "max", "pca"])
def test_black_and_white_leaves_no_colour_by_any_method(method: str) -> None:
    made = BlackAndWhite(methods=(method,)).apply(a_picture(), generator(1))  # type: ignore[arg-type]
    assert (made.pixels == made.pixels[..., :1]).all()
    assert made.pixels.std() > 5
    assert made.drawn == {"method": method}


def test_black_and_white_says_so_and_says_no_colours() -> None:
    text = BlackAndWhite().caption("om style, a red apple, food, red, on a blue background", {})
    assert text == "om style, an apple, food, monochrome"
    assert BlackAndWhite().caption(text, {}) == text


@given(
    width=st.integers(1, 120),
    height=st.integers(1, 120),
    where=st.sampled_from(["center", "random", "multi"]),
    low=st.floats(0.05, 1),
    more=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_a_crop_is_a_part_of_the_picture_at_the_place_that_it_says(
    width: int, height: int, where: str, low: float, more: float, seed: int
) -> None:
    image = np.resize(np.arange(256, dtype=np.uint8), (height, width, 3))
    made = Crop(where=where, size=(low, low + (1 - low) * more), smallest=8).apply(image, generator(seed))  # type: ignore[arg-type]
    x, y, wide, tall = (int(made.drawn[key] or 0) for key in ("x", "y", "width", "height"))
    np.testing.assert_array_equal(made.pixels, image[y : y + tall, x : x + wide])
    assert made.pixels.shape == (tall, wide, 3)
    assert wide >= min(8, width)
    assert tall >= min(8, height)


def test_random_crops_reach_every_part_and_multi_crops_repeat_their_places() -> None:
    image = a_picture(width=100, height=100)

    def drawn(where: str) -> list[tuple[object, ...]]:
        block = Crop(where=where, size=(0.5, 0.9))  # type: ignore[arg-type]
        return [tuple(block.apply(image, generator(n)).drawn.values())[:4] for n in range(400)]

    anywhere, places = drawn("random"), drawn("multi")
    assert len(set(anywhere)) > 300
    assert len(set(places)) == 27
    x, y, wide, tall = np.array(anywhere).T
    assert (x == 0).any()
    assert (y == 0).any()
    assert (x + wide == 100).any()
    assert (y + tall == 100).any()


def test_a_crop_is_called_a_detail_unless_it_shows_nearly_all() -> None:
    assert Crop().caption("om style, a red apple", {"area": 0.4}) == "a detail of om style, a red apple"
    assert Crop().caption("om style, a red apple", {"area": 0.9}) == "om style, a red apple"


def test_a_picture_too_small_to_be_cut_is_left_alone() -> None:
    assert not Crop(smallest=64).suits(a_record(), "")
    assert Crop(smallest=32).suits(a_record(), "")


@pytest.mark.parametrize(
    "caption",
    [
        "an arrow to the left",
        "a RIGHT hand",
        "text on a wall",
        "a stop sign",
        "route 66",
        "the letter b",
        "a wrist watch",
        "a crescent moon over the sea",
        "a woman with two Guitars",
        "a police car",
        "an identification card",
    ],
)
def test_what_is_wrong_in_a_mirror_is_not_flipped(caption: str) -> None:
    assert not Flip().suits(a_record(), caption)


def test_flip_mirrors_and_minds_the_users_words() -> None:
    np.testing.assert_array_equal(Flip().apply(a_picture(), generator(1)).pixels, a_picture()[:, ::-1])
    for fine in (
        "a bright bird, leftover food",
        "a full moon",
        "a northern lake",
        "a car, police officers",
        "an earthworm",
    ):
        assert Flip().suits(a_record(), fine), fine
    assert not Flip(unless=("my dog",)).suits(a_record(), "om style, My Dog in a garden")


def test_png_bytes_say_nothing_but_the_pixels() -> None:
    first, second = png_of(a_picture()), png_of(np.asfortranarray(a_picture()))
    assert first == second
    assert b"tIME" not in first
    assert b"tEXt" not in first
