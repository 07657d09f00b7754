import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbones.backbone import Backbone
from backbones.family import family_of
from backbones.redrawing import native_size, redraw
from tests.backbones.pictures import picture


@pytest.fixture(scope="module")
def pocket() -> Backbone:
    return family_of("pocket").load()


@given(width=st.integers(1, 5000), height=st.integers(1, 5000))
def test_the_native_size_has_the_bases_area_and_sides_that_it_can_halve(
    pocket: Backbone, width: int, height: int
) -> None:
    wide, tall = native_size(pocket, width, height)
    assert wide % 16 == tall % 16 == 0
    assert 0.7 < wide * tall / pocket.resolution**2 < 1.35
    assert 0.4 < wide / tall < 2.5
    if width > height:
        assert wide >= tall


def test_a_square_picture_has_the_bases_own_size(pocket: Backbone) -> None:
    assert native_size(pocket, 300, 300) == (64, 64)
    assert native_size(pocket, 300, 150) == (96, 48)


def test_a_picture_is_redrawn_the_same_way_again_and_stays_itself_at_low_strength(pocket: Backbone) -> None:
    before = picture(3)
    settings = {"steps": 10, "guidance": 2.0}
    near, again = (redraw(pocket, before, "an emoji", 5, strength=0.1, **settings) for _ in range(2))  # type: ignore[arg-type]
    far = redraw(pocket, before, "an emoji", 5, strength=1.0, **settings)  # type: ignore[arg-type]
    np.testing.assert_array_equal(near, again)

    def apart(other: np.ndarray) -> float:  # type: ignore[type-arg]
        return float(np.abs(other.astype(float) - before).mean())

    assert apart(near) < 12 < apart(far)
    assert not np.array_equal(near, redraw(pocket, before, "an emoji", 6, strength=0.1, **settings))  # type: ignore[arg-type]
