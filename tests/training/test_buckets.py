from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import RecipeError
from training.buckets import Buckets, cut, planned, told
from training.data import Data, Example
from training.order import Order


def test_the_sizes_have_about_the_area_of_the_resolution_and_suit_the_network() -> None:
    sizes = Buckets().sizes(512, 64)
    assert (512, 512) in sizes
    assert (768, 320) in sizes
    for width, height in sizes:
        assert width % 64 == height % 64 == 0
        assert 256 <= min(width, height) <= max(width, height) <= 1024
        assert width * height <= 512 * 512
        assert (height, width) in sizes


@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(1, 5000)), min_size=1, max_size=30), st.booleans())
@settings(max_examples=100, deadline=None)
def test_every_picture_goes_to_exactly_one_size_whatever_its_shape(shapes: list[tuple[int, int]], grow: bool) -> None:
    pictures = {str(n): shape for n, shape in enumerate(shapes)}
    chosen, plan = planned(pictures, Buckets(upscale=grow), 512, 64)
    assert chosen.keys() == pictures.keys()
    assert sum(bucket.pictures for bucket in plan) == len(pictures)
    assert all(0 <= bucket.cut < 1 for bucket in plan)
    for name, (width, height) in chosen.items():
        assert width % 64 == height % 64 == 0
        assert grow or (width <= max(64, pictures[name][0]) and height <= max(64, pictures[name][1]))


def test_the_size_cuts_less_than_the_square_would_and_nothing_of_what_fits() -> None:
    buckets = Buckets()
    sizes = buckets.sizes(512, 64)
    assert buckets.size_of((1024, 1024), sizes) == (512, 512)
    assert buckets.size_of((1600, 900), sizes) == (640, 384)
    assert cut((1600, 900), (640, 384)) < 0.07 < cut((1600, 900), (512, 512))
    assert cut((640, 384), (640, 384)) == 0


def test_small_pictures_are_not_enlarged_where_that_is_not_wanted() -> None:
    assert planned({"a": (300, 200)}, Buckets(upscale=False), 512, 64)[0] == {"a": (256, 192)}
    assert planned({"a": (300, 200)}, Buckets(), 512, 64)[0] == {"a": (640, 384)}


def test_sizes_that_cannot_be_are_told_and_the_plan_is_said_in_words() -> None:
    with pytest.raises(RecipeError, match="there is no size with sides from 500 to 510 pixels in steps of 64"):
        Buckets(min_side=500, max_side=510).sizes(512, 64)
    words = told(planned({"a": (100, 100), "b": (200, 100), "c": (190, 100)}, Buckets(), 512, 64)[1])
    assert words[0].startswith("sizes (pixels, pictures, cut away on average); every picture is used")
    assert [line.split()[:2] for line in words[1:]] == [["512x512", "1"], ["640x384", "1"], ["704x320", "1"]]


@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    batch_size=st.integers(1, 5),
    weight=st.sampled_from([0.5, 1.0, 1.5]),
)
@settings(max_examples=60, deadline=None)
def test_batches_are_of_one_shape_where_possible_and_every_epoch_has_every_picture(
    counts: list[int], batch_size: int, weight: float
) -> None:
    shapes = [shape for shape, count in enumerate(counts) for _ in range(count)]
    order = Order([weight] * len(shapes), shapes, batch_size=batch_size, seed=3)
    plain = Order([weight] * len(shapes), [0] * len(shapes), batch_size=batch_size, seed=3)
    stream: list[int] = []
    for epoch in range(6):
        shown = order.epoch(epoch).tolist()
        assert Counter(shown) == Counter(plain.epoch(epoch).tolist()), "shapes change the order and nothing else"
        stream += shown
    mixed = sum(
        len({shapes[number] for number in stream[start : start + batch_size]}) > 1
        for start in range(0, len(stream), batch_size)
    )
    # in an epoch at most batch_size - 1 pictures of each shape are left over, and its two ends meet its neighbours'
    most = 6 * (-(-len(counts) * (batch_size - 1) // batch_size) + 2)
    assert mixed <= (most if len(counts) > 1 else 0)


def test_a_step_with_several_shapes_is_cut_by_shape_and_each_picture_counts_alike() -> None:
    states = {text: {"hidden": torch.zeros(1, 2, 3)} for text in ("", "a")}
    sides = [(2, 2), (2, 2), (2, 4), (4, 2)]
    examples = [Example(str(n), torch.full((1, *side), float(n)), "a") for n, side in enumerate(sides)]
    data = Data(examples, states, batch_size=4, caption_dropout=0, seed=0, device="cpu")
    shown = data.show(torch.Generator())
    pieces = data.cut(shown)
    assert shown.mixed
    assert sorted(len(piece.latents) for piece in pieces) == [1, 1, 2]
    assert sum(piece.rows.share for piece in pieces if piece.rows) == 1
    for piece in pieces:
        assert piece.rows is not None
        for row, latent in zip(piece.rows.own, piece.latents, strict=True):
            assert float(latent.max()) == shown.picked[row]
