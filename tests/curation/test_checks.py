"""The checks that look at one picture's pixels: colour, JPEG blocks, bars."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter, ImageOps

from core.cache import Memory
from core.pixels import Pixels
from core.record import Reason, Record
from curation.decode import decode
from curation.filter import Batch, Filter
from curation.filters.borders import Borders, bars
from curation.filters.jpeg_artefacts import JpegArtefacts
from curation.filters.monochrome import Monochrome
from curation.view import View
from tests.curation.conftest import encoded, scene
from tests.curation.test_duplicates import emoji


def photo(seed: int, width: int = 320, height: int = 240) -> Pixels:
    """Cloudy, with fine grain and a few edges, and lit all over: nothing in it is flat."""
    rng = np.random.default_rng(seed)
    layers = np.zeros((height, width, 3))
    for blur, weight in ((40, 3.0), (8, 1.5), (1, 0.4)):
        noise = rng.normal(size=(height // blur + 2, width // blur + 2, 3))
        planes = [Image.fromarray(noise[..., at]).resize((width, height), Image.Resampling.BICUBIC) for at in range(3)]
        layers += weight * np.stack([np.asarray(plane) for plane in planes], axis=2)
    pixels = (140 + 22 * layers).clip(50, 255).astype(np.uint8)
    edges = scene(seed, width, height)
    return np.where(edges > 200, (pixels * 0.8).astype(np.uint8), pixels)


def score(one: Filter, pixels: Pixels) -> dict[str, float]:
    return one.measure(View(pixels))


def refused(one: Filter, pixels: Pixels) -> Reason | None:
    height, width = pixels.shape[:2]
    record = Record("1", "1", "s", "1", "1", width=width, height=height, quality=score(one, pixels))

    def read(_: Record) -> Pixels:
        raise AssertionError("no picture is read again")

    return one.judge(Batch([record], read, Memory())).get("1")


def saved(pixels: Pixels, quality: int) -> Pixels:
    return decode(encoded(pixels, "JPEG", quality=quality)).pixels


def toned(pixels: Pixels, dark: str, middle: str, light: str) -> Pixels:
    return np.asarray(ImageOps.colorize(Image.fromarray(pixels).convert("L"), dark, light, mid=middle))


def grey(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).convert("L").convert("RGB"))


@pytest.mark.parametrize("make", [scene, photo])
def test_a_picture_without_colour_is_found_whatever_its_mode(make: Callable[[int], Pixels]) -> None:
    one = Monochrome()
    for seed in range(4):
        assert refused(one, make(seed)) is None
        for without in (grey(make(seed)), saved(grey(make(seed)), 40)):
            found = refused(one, without)
            assert found is not None and found.code == "monochrome"


def test_a_little_colour_is_colour() -> None:
    pixels = grey(photo(1)).copy()
    pixels[100:120, 100:120] = (200, 30, 30)
    assert refused(Monochrome(toned=True), pixels) is None


@pytest.mark.parametrize(
    "tones", [("#1a0d00", "#8a6b42", "#fff4dc"), ("#001530", "#4080b0", "#ffffff")], ids=["sepia", "cyanotype"]
)
def test_toned_pictures_are_refused_only_if_asked(tones: tuple[str, str, str]) -> None:
    for seed in range(4):
        for picture in (toned(photo(seed), *tones), saved(toned(photo(seed), *tones), 75)):
            assert refused(Monochrome(), picture) is None
            found = refused(Monochrome(toned=True), picture)
            assert found is not None and found.code == "toned"


def test_colours_are_no_tone() -> None:
    for seed in range(6):
        assert refused(Monochrome(toned=True), photo(seed)) is None
        assert refused(Monochrome(toned=True), emoji(14, seed)) is None


def test_jpeg_blocks_are_found_in_a_copy_without_loss_and_after_cropping() -> None:
    one = JpegArtefacts()
    for seed in range(4):
        spoiled = saved(photo(seed), 10)
        assert refused(one, photo(seed)) is None
        assert refused(one, saved(photo(seed), 90)) is None
        for copy in (spoiled, decode(encoded(spoiled)).pixels, np.ascontiguousarray(spoiled[3:, 5:])):
            found = refused(one, copy)
            assert found is not None and found.code == "jpeg_artefacts"


def test_the_score_of_jpeg_blocks_grows_as_quality_falls() -> None:
    scores = [score(JpegArtefacts(), saved(photo(2), quality))["jpeg_blocks"] for quality in (90, 60, 30, 10)]
    assert scores == sorted(scores)


def test_drawings_with_straight_edges_and_enlarged_pixel_art_have_no_jpeg_blocks() -> None:
    pixel_art = np.kron(scene(1, 40, 40)[::2, ::2] // 12 * 4 + 90, np.ones((16, 16, 1), np.uint8))
    board = np.kron(np.indices((16, 16)).sum(0) % 2 * 255, np.ones((16, 16)))[..., None].repeat(3, 2)
    pictures = [scene(seed, 256, 256) for seed in range(8)] + [emoji(24, 16), pixel_art, board]
    assert [refused(JpegArtefacts(), np.ascontiguousarray(one, np.uint8)) for one in pictures] == [None] * 11


def letterboxed(pixels: Pixels, colour: tuple[int, int, int] = (0, 0, 0)) -> Pixels:
    bar = np.full((pixels.shape[0] // 6, pixels.shape[1], 3), colour, np.uint8)
    return np.concatenate((bar, pixels, bar))


def framed(pixels: Pixels, colour: tuple[int, int, int] = (255, 255, 255)) -> Pixels:
    return np.asarray(ImageOps.expand(Image.fromarray(pixels), 16, colour))


BARRED: dict[str, Callable[[Pixels], Pixels]] = {
    "letterbox": letterboxed,
    "letterbox saved as JPEG": lambda pixels: saved(letterboxed(pixels), 60),
    "bars at the sides": lambda pixels: np.ascontiguousarray(letterboxed(pixels.swapaxes(0, 1)).swapaxes(0, 1)),
    "white frame": framed,
    "dark frame": lambda pixels: framed(pixels, (24, 20, 20)),
    "bar below": lambda pixels: letterboxed(pixels, (255, 255, 255))[pixels.shape[0] // 6 :],
    "large": lambda pixels: letterboxed(np.kron(pixels, np.ones((4, 4, 1), np.uint8))),
}


@pytest.mark.parametrize("kind", BARRED)
def test_bars_and_frames_are_found_and_their_share_is_told(kind: str) -> None:
    for seed in range(3):
        pixels = photo(seed)
        barred = BARRED[kind](pixels)
        scale = max(1, min(barred.shape[:2]) // 256) if kind == "large" else 1
        real = 1 - pixels.size * (16 if kind == "large" else 1) / barred.size
        assert refused(Borders(), pixels) is None
        found = refused(Borders(), barred)
        assert found is not None and found.code == "borders"
        assert score(Borders(), barred)["borders"] == pytest.approx(real, abs=0.02 * scale)


def portrait() -> Pixels:
    """A bust on white: cut off straight below, with room to all sides."""
    pixels = np.full((256, 256, 3), 255, np.uint8)
    pixels[60:140, 90:166] = (240, 200, 120)
    pixels[140:220, 50:206] = (60, 80, 160)
    return pixels


def on_a_ground() -> dict[str, Pixels]:
    soft = Image.fromarray(emoji(14, 0)).filter(ImageFilter.GaussianBlur(1))
    square = np.full((256, 256, 3), 255, np.uint8)
    square[64:192, 64:192] = photo(1, 128, 128)
    lines = np.full((256, 256, 3), 255, np.uint8)
    lines[40:216:12, 40:216] = 0
    return {
        "emoji": emoji(14, 0),
        "soft emoji": np.asarray(soft),
        "emoji at the lower edge": np.ascontiguousarray(np.roll(emoji(14, 0), 20, 0)),
        "bust": portrait(),
        "square thing": square,
        "lines of text": lines,
        "one colour": np.full((64, 64, 3), 9, np.uint8),
    }


@pytest.mark.parametrize("picture", on_a_ground())
def test_a_thing_on_a_plain_ground_has_no_borders(picture: str) -> None:
    assert score(Borders(), on_a_ground()[picture])["borders"] == 0


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 10_000), st.sampled_from([1, 2, 256]))
def test_every_check_takes_pictures_of_any_size(width: int, height: int, seed: int, levels: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, levels, (height, width, 3)).astype(np.uint8)
    for one in (Borders(), JpegArtefacts(), Monochrome(toned=True)):
        scores = score(one, pixels)
        assert scores.keys() == set(one.scores)
        assert all(np.isfinite(value) and value >= 0 for value in scores.values())
    top, bottom, left, right = bars(pixels)
    assert top + bottom < height and left + right < width
