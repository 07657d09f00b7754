"""The reduced copies that the checks share, whatever memory a picture lies in."""

import numpy as np
import pytest

from core.pixels import Pixels
from curation.decode import Room, decode
from curation.measure import Measured, measured
from curation.view import SMALL, View, shorter_side
from tests.curation.conftest import encoded, scene


def halved(pixels: Pixels) -> Pixels:
    """The same by the book: means of four, rounded half up, until the shorter side is small enough."""
    while min(pixels.shape[:2]) >= 2 * SMALL:
        height, width = (side // 2 * 2 for side in pixels.shape[:2])
        four = [pixels[y:height:2, x:width:2].astype(np.uint16) for y in (0, 1) for x in (0, 1)]
        pixels = ((sum(four) + 2) // 4).astype(np.uint8)
    return pixels


@pytest.mark.parametrize(("width", "height"), [(96, 64), (511, 511), (512, 513), (1025, 1030), (2100, 700)])
def test_the_reduced_copy_is_made_by_halving_from_padded_memory_as_from_any_other(width: int, height: int) -> None:
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 4), np.uint8)
    plain = np.ascontiguousarray(pixels[..., :3])
    wanted = halved(plain)
    plain.flags.writeable = False
    for one in (pixels[..., :3], plain, np.concatenate((pixels, pixels))[height:, :, :3]):
        np.testing.assert_array_equal(View(one).small, wanted)
    assert min(wanted.shape[:2]) == shorter_side(min(width, height))


def test_pictures_that_are_unpacked_into_one_room_are_measured_as_if_each_had_its_own() -> None:
    room = Room()
    files = [encoded(scene(seed, 700 - 90 * seed, 640), "JPEG", quality=90) for seed in range(4)]
    for data in (*files, files[0]):
        np.testing.assert_array_equal(decode(data, room=room).pixels, decode(data).pixels)
        one, other = (measured(data, [], (255, 255, 255), 10**7, room=place) for place in (room, None))
        assert isinstance(one, Measured) and isinstance(other, Measured)
        assert (one.phash, one.phash_mirrored) == (other.phash, other.phash_mirrored)
        np.testing.assert_array_equal(one.thumbnail, other.thumbnail)
