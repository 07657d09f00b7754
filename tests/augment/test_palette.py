import numpy as np
import pytest

from augment.palette import COLOURS, PLAIN, colours
from augment.transforms.color_skew import ColorSkew
from core.pixels import Pixels
from core.seeding import generator


def flat(*parts: tuple[int, int, int]) -> Pixels:
    """Stripes of equal height."""
    return np.repeat(np.array(parts, np.uint8), 30, axis=0)[:, None].repeat(40, axis=1)


@pytest.mark.parametrize("word", [word for word in COLOURS if word not in PLAIN])
def test_a_typical_colour_is_called_by_its_name(word: str) -> None:
    assert colours(flat(COLOURS[word], COLOURS[word], (255, 255, 255))) == [word]


def test_the_widest_is_named_first_and_a_speck_not_at_all() -> None:
    blue, red = COLOURS["blue"], COLOURS["red"]
    assert colours(flat(blue, red, red)) == ["red", "blue"]
    speck = flat(blue, blue, blue)
    speck[:8, :8] = red
    assert colours(speck) == ["blue"]


def test_grey_pictures_of_any_size_have_no_colour_and_a_small_thing_on_a_wide_ground_has() -> None:
    grey = np.linspace(0, 255, 50 * 70, dtype=np.uint8).reshape(50, 70, 1).repeat(3, axis=2)
    assert colours(grey) is None
    assert colours(grey[:1, :1]) is None
    grey[:10, :25] = COLOURS["red"]
    assert colours(grey) == ["red"]


def test_a_skewed_picture_is_called_by_the_colours_that_it_has_now() -> None:
    image = flat(COLOURS["red"], COLOURS["red"], (255, 255, 255))
    turned = ColorSkew(hue=(110, 120), saturation=(1, 1), channels=0)
    made = turned.apply(image, generator(1))
    assert made.drawn["colours"] == "green"
    assert turned.caption("om style, a red apple", made.drawn) == "om style, an apple, green"
    assert turned.caption("om style, an apple", made.drawn) == "om style, an apple"  # no colour was said of it before


def test_a_picture_that_was_skewed_till_it_is_grey_is_called_monochrome() -> None:
    image = flat(COLOURS["red"], COLOURS["blue"], (255, 255, 255))
    pale = ColorSkew(saturation=(0.01, 0.02), hue=(0, 0))
    made = pale.apply(image, generator(1))
    assert pale.caption("om style, a red apple", made.drawn) == "om style, an apple, monochrome"
    little = ColorSkew(saturation=(0.5, 0.6)).apply(image, generator(1))
    assert "colours" not in little.drawn
