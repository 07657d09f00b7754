from pathlib import Path

import numpy as np
import pytest
import torch

from augment.detectors import LEARNED, detected
from augment.generator import Generator
from augment.generators.lineart import Lineart
from core.errors import MissingBase
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


def test_canny_draws_edges_at_the_pictures_own_size() -> None:
    image = np.full((90, 70, 3), 240, np.uint8)
    image[30:60, 20:50] = 20
    ((made),) = Lineart(detector="canny").generate([(a_record(), image, "")], [generator(1)])
    assert made.refused is None
    assert made.pixels.shape == image.shape
    assert made.pixels[28:32, 35].min() < 128
    assert made.pixels[45, 35].min() > 200  # lines only, where the standard detector would shade


@pytest.mark.parametrize("detector", LEARNED)
def test_a_learned_detector_without_its_weights_says_which_files_it_wants(detector: str, tmp_path: Path) -> None:
    first = LEARNED[detector][1][0]
    with pytest.raises(MissingBase, match=f"needs {first}.*name the folder"):
        Lineart(detector=detector).check()  # type: ignore[arg-type]
    with pytest.raises(MissingBase, match=f"lacks {first}"):
        Lineart(detector=detector, weights=str(tmp_path)).check()  # type: ignore[arg-type]


def test_a_learned_detector_reads_its_weights_from_the_folder(tmp_path: Path) -> None:
    from controlnet_aux.teed import TED

    torch.manual_seed(0)
    file = tmp_path / LEARNED["teed"][1][0]
    torch.save(TED().state_dict(), file)
    block = Lineart(detector="teed", weights=str(tmp_path), resolution=64, least_ink=0)
    batch = [(a_record(), a_picture(), "")]
    first, second = (block.generate(batch, [generator(1)])[0] for _ in range(2))
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert first.pixels.shape == a_picture().shape
    before = block.fingerprint
    file.write_bytes(b"no weights at all")
    other = Lineart(detector="teed", weights=str(tmp_path), resolution=64, least_ink=0)
    assert other.fingerprint != before
    with pytest.raises(MissingBase, match="is not of the detector teed"):
        other.generate(batch, [generator(1)])


@pytest.mark.parametrize(
    "wrong", [{"low": 50}, {"detector": "canny", "sigma": 2.0}, {"weights": "x"}, {"detector": "hed", "high": 9}]
)
def test_a_key_that_the_detector_does_not_listen_to_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="has no such setting"):
        Lineart(**wrong)  # type: ignore[arg-type]
