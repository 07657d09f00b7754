import numpy as np
import pytest

from augment.detectors import detected
from augment.generator import Generator
from augment.generators.lineart import Lineart
from core.pixels import Pixels
from core.seeding import generator
from tests.augment.things import a_picture, a_record

WITHOUT_WEIGHTS = ["lineart"]


@pytest.mark.parametrize("kind", WITHOUT_WEIGHTS)
def test_a_generator_is_repeatable_whatever_else_is_in_the_batch(kind: str) -> None:
    block = Generator.of_kind(kind)()
    batch = [(a_record(n), a_picture(n), "a red cat") for n in (1, 2)]
    before = [image.copy() for _, image, _ in batch]
    together = block.generate(batch, [generator(1), generator(2)])
    alone = block.generate(batch[1:], [generator(2)])
    np.testing.assert_array_equal(together[1].pixels, alone[0].pixels)
    assert together[1].drawn == alone[0].drawn
    for made, image in zip(together, before, strict=True):
        assert made.pixels.dtype == np.uint8
        assert made.pixels.shape == image.shape
        assert all(type(value) in (str, int, float, bool) for value in made.drawn.values())
    for (_, image, _), old in zip(batch, before, strict=True):
        np.testing.assert_array_equal(image, old)


def test_line_art_is_dark_lines_on_white_and_its_caption_says_so() -> None:
    image = np.full((96, 96, 3), 240, np.uint8)
    image[20:22, 10:80] = (20, 30, 40)
    ((made),) = Lineart().generate([(a_record(), image, "")], [generator(1)])
    assert made.refused is None
    assert made.pixels[20:22, 45].max() < 160
    assert made.pixels[80, 80].min() > 230
    said = Lineart().caption("om style, a red apple, red, on a blue background", made.drawn)
    assert said == "om style, an apple, monochrome, line art"


def test_a_picture_without_lines_is_refused_in_words_and_not_an_exception() -> None:
    flat = np.full((40, 50, 3), 200, np.uint8)
    ((made),) = Lineart().generate([(a_record(), flat, "")], [generator(1)])
    assert made.refused is not None
    assert made.refused.code == "no_lines"
    assert made.pixels.shape == flat.shape


def test_a_detector_keeps_the_size_and_draws_from_our_seed_alone() -> None:
    def noisy(*_: Pixels, **__: str) -> Pixels:
        return np.random.randint(0, 255, size=(64, 64), dtype=np.uint8)  # another size, one channel, global numbers

    np.random.seed(3)
    state = np.random.get_state()[1].copy()  # type: ignore[union-attr]
    first, second = (detected(noisy, a_picture(), 9) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == a_picture().shape
    np.testing.assert_array_equal(np.random.get_state()[1], state)
