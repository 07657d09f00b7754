"""Every row of the tables of nasty files: right to the pixel, or refused for the right reason."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from curation.decode import Undecodable, decode
from tests.curation.conftest import encoded, opened
from tests.curation.nasty import (
    ALPHA,
    AVIF,
    DARK,
    FINEST,
    LOSSLESS,
    RAMP8,
    REFUSED,
    SAME,
    SCENE,
    TRANSPARENT,
    grey,
    on,
    with_exif,
)


@pytest.mark.parametrize("file", DARK)
def test_wide_samples_are_scaled_by_their_real_range(file: str) -> None:
    pixels = decode(DARK[file]()).pixels
    off = np.abs(pixels.astype(int) - grey(RAMP8)).max()
    assert off <= ("12" in file), "16 bits are exact; of 12 bits the last step rounds differently"


def test_floats_below_zero_are_stretched_and_what_is_not_finite_is_black() -> None:
    values = np.linspace(-3, 5, 96 * 64, dtype=np.float32).reshape(64, 96)
    stretched = decode(encoded(values, "TIFF")).pixels
    assert (stretched[0, 0, 0], stretched[-1, -1, 0]) == (0, 255)
    holes = np.full((4, 4), 0.5, np.float32)
    holes[0, :3] = np.nan, np.inf, -np.inf
    np.testing.assert_array_equal(decode(encoded(holes, "TIFF")).pixels[:2, :, 0], [[0, 0, 0, 128], [128] * 4])


@pytest.mark.parametrize("file", SAME)
def test_a_picture_is_right_to_the_pixel(file: str) -> None:
    make, wanted, off = SAME[file]
    decoded = decode(make())
    assert decoded.pixels.shape == wanted.shape == (decoded.height, decoded.width, 3)
    assert decoded.pixels.dtype == np.uint8 and decoded.pixels.flags.c_contiguous
    assert np.abs(decoded.pixels.astype(int) - wanted).max() <= off
    assert decoded.alpha is None
    assert decoded.media_type.startswith("image/")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", FINEST), ("PNG", {}), ("WEBP", LOSSLESS), ("TIFF", {}), ("AVIF", AVIF)],
)
def test_a_picture_is_turned_upright(orientation: int, kind: str, options: dict[str, object]) -> None:
    upright = np.asarray(ImageOps.exif_transpose(opened(with_exif(orientation, "PNG"))))
    pixels = decode(with_exif(orientation, kind, **options)).pixels
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).max() <= (0 if kind in ("PNG", "WEBP", "TIFF") else 4)


@pytest.mark.parametrize("matte", [(255, 255, 255), (10, 200, 30)])
@pytest.mark.parametrize("file", TRANSPARENT)
def test_alpha_is_laid_onto_the_matte_and_kept_as_a_mask(file: str, matte: tuple[int, int, int]) -> None:
    data, pixels, alpha = TRANSPARENT[file]()
    decoded = decode(data, matte=matte)
    np.testing.assert_array_equal(decoded.alpha, alpha)
    assert np.abs(decoded.pixels.astype(int) - on(pixels, alpha, matte)).max() <= 1
    hidden = alpha == 0
    assert (decoded.pixels[hidden] == matte).all(), "colours under full transparency must not show"


def test_an_alpha_channel_that_hides_nothing_is_no_mask() -> None:
    assert decode(encoded(np.dstack([SCENE, np.full_like(ALPHA, 255)]))).alpha is None


@pytest.mark.parametrize("file", REFUSED)
def test_what_cannot_be_decoded_is_refused_with_a_reason(file: str) -> None:
    make, code, words = REFUSED[file]
    with pytest.raises(Undecodable) as refused:
        decode(make())
    assert refused.value.reason.code == code, refused.value.reason.words
    assert words in refused.value.reason.words


def test_more_pixels_than_allowed_are_not_unpacked() -> None:
    limit = Image.MAX_IMAGE_PIXELS
    with pytest.raises(Undecodable, match="at most 1,000") as refused:
        decode(encoded(SCENE), max_pixels=1000)
    assert refused.value.reason.code == "too_many_pixels"
    assert limit == Image.MAX_IMAGE_PIXELS


WHOLE = [make() for make, _, _ in SAME.values()] + [make()[0] for make in TRANSPARENT.values()]


def never_crashes(data: bytes) -> None:
    try:
        decoded = decode(data, max_pixels=1_000_000)
        assert decoded.pixels.shape == (decoded.height, decoded.width, 3)
    except Undecodable as refused:
        assert refused.reason.code and refused.reason.words


@given(st.binary(max_size=400))
def test_any_bytes_are_a_picture_or_a_reason(data: bytes) -> None:
    never_crashes(data)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(WHOLE), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_any_change_of_a_picture_leaves_a_picture_or_a_reason(data: bytes, changes: list[tuple[float, int]]) -> None:
    changed = bytearray(data)
    for place, value in changes:
        where = min(len(data), 200) if value % 2 else len(data)  # headers are where it hurts
        changed[int(place * (where - 1))] = value
    never_crashes(bytes(changed))
