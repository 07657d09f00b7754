from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from evaluation.grid import LEAST, PAPER, beside_nearest, grid, strip
from tests.evaluation.things import picture


def opened(png: bytes) -> Image.Image:
    assert png.startswith(b"\x89PNG")
    return Image.open(BytesIO(png))


def test_small_pictures_are_enlarged_so_that_one_can_see_them() -> None:
    image = opened(
        grid(["a cat", "a dog"], ["base", "step 100"], [[picture(r, c) for c in range(2)] for r in range(2)])
    )
    assert image.width > 2 * LEAST and image.height > 2 * LEAST


def test_labels_are_drawn_outside_the_pictures() -> None:
    white = np.full((64, 64, 3), 255, np.uint8)
    with_words = np.asarray(opened(grid(["a cat"], ["base"], [[white]])))
    assert (with_words.min(axis=2) < 100).any(), "there are letters"
    right_of_words = with_words[-LEAST:, -LEAST:]
    assert (right_of_words == 255).mean() > 0.85


def test_the_same_pictures_make_the_same_file() -> None:
    made = [grid(["p"], ["base"], [[picture(1)]]) for _ in range(2)]
    assert made[0] == made[1]


@pytest.mark.parametrize("shape", [(20, 40), (40, 20), (700, 300)])
def test_a_picture_of_any_shape_is_shown_whole(shape: tuple[int, int]) -> None:
    red = np.full((*shape, 3), (255, 0, 0), np.uint8)
    image = np.asarray(opened(grid([""], [""], [[red]])))
    shown = (image[..., 0] > 240) & (image[..., 1] < 40)
    height, width = (np.ptp(np.flatnonzero(shown.any(axis))) + 1 for axis in (1, 0))
    assert width / height == pytest.approx(shape[1] / shape[0], rel=0.05)


def test_a_strip_breaks_into_lines_and_takes_one_picture_too() -> None:
    assert opened(strip([picture(at) for at in range(11)])).height > 2 * LEAST
    assert opened(strip([picture(1)], ["a cat"])).height < 2 * LEAST


def test_samples_stand_above_their_nearest_training_picture() -> None:
    red, blue = (np.full((16, 16, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    image = np.asarray(opened(beside_nearest([(red, blue, "copy")] * 10))).astype(int)
    reds, blues = ((image[..., at] > 200) & (image.sum(-1) < 300) for at in (0, 2))
    assert np.flatnonzero(reds.any(1)).min() < np.flatnonzero(blues.any(1)).min()
    assert tuple(image[-1, -1]) == PAPER


def test_a_long_prompt_is_wrapped_and_a_word_without_end_is_cut() -> None:
    image = opened(grid(["a very long prompt about a cat " * 9, "x" * 400], ["c" * 90], [[picture(1)], [picture(2)]]))
    assert image.width < 4 * LEAST
