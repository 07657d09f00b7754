from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import NotEnoughData
from training.data import Data, Example, identity_of

STATES = {text: {"hidden": torch.full((1, 2, 3), float(n))} for n, text in enumerate(["", "a", "b"])}


def data(weights: list[float], *, batch_size: int = 2, dropout: float = 0.0, seed: int = 0) -> Data:
    examples = [
        Example(str(n), torch.full((1, 2, 2), float(n)), "ab"[n % 2], weight) for n, weight in enumerate(weights)
    ]
    return Data(examples, STATES, batch_size=batch_size, caption_dropout=dropout, seed=seed, device="cpu")


def drawn(source: Data, batches: int, rng: torch.Generator) -> list[int]:
    return [int(latent[0, 0, 0]) for _ in range(batches) for latent in source.draw(rng).latents]


@given(
    weights=st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.5, 3.0]), min_size=1, max_size=12).filter(any),
    batch_size=st.integers(1, 5),
    seed=st.integers(0, 2**63 - 1),
)
@settings(max_examples=60, deadline=None)
def test_each_example_is_drawn_as_often_as_its_weight_says(weights: list[float], batch_size: int, seed: int) -> None:
    source, rng = data(weights, batch_size=batch_size, seed=seed), torch.Generator()
    counts: Counter[int] = Counter()
    while source.epoch < 8:
        counts.update(drawn(source, 1, rng))
    # what was drawn of the ninth epoch lies within one batch
    for n, weight in enumerate(weights):
        assert 8 * weight - 1 <= counts[n] <= 8 * weight + 1 + batch_size


@given(st.integers(1, 9), st.integers(1, 7), st.integers(0, 30))
@settings(max_examples=40, deadline=None)
def test_going_to_a_position_gives_what_would_have_come(count: int, batch_size: int, before: int) -> None:
    rng = torch.Generator()
    straight, other = data([1.0] * count, batch_size=batch_size), data([1.0] * count, batch_size=batch_size)
    drawn(straight, before, rng)
    other.seek(straight.epoch, straight.offset)
    assert drawn(straight, 5, rng) == drawn(other, 5, rng)


def test_equal_weights_are_shuffled_epochs_without_replacement_and_no_picture_is_left_out() -> None:
    seen = drawn(data([1.0] * 7, batch_size=3), 7, torch.Generator())
    epochs = [seen[start : start + 7] for start in range(0, 21, 7)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_a_dropped_caption_is_the_empty_one() -> None:
    rng = torch.Generator().manual_seed(0)
    source = data([1.0] * 4, batch_size=4, dropout=0.5)
    pairs = [
        (caption, float(hidden[0, 0]))
        for _ in range(50)
        for batch in [source.draw(rng)]
        for caption, hidden in zip(batch.captions, batch.conditioning["hidden"], strict=True)
    ]
    assert set(pairs) == {("", 0.0), ("a", 1.0), ("b", 2.0)}
    assert 70 < sum(caption == "" for caption, _ in pairs) < 130
    assert all(caption for caption in data([1.0] * 4, batch_size=4).draw(rng).captions)


def test_importance_and_masks_travel_with_their_examples() -> None:
    examples = [
        Example("0", torch.zeros(1, 2, 2), "a", importance=0.5),
        Example("1", torch.ones(1, 2, 2), "a", mask=torch.zeros(1, 2, 2)),
    ]
    batch = Data(examples, STATES, batch_size=2, caption_dropout=0, seed=0, device="cpu").draw(torch.Generator())
    assert batch.importance is not None
    assert batch.mask is not None
    for latent, importance, mask in zip(batch.latents, batch.importance, batch.mask, strict=True):
        assert (float(importance), float(mask.mean())) == ((0.5, 1.0) if latent.max() == 0 else (1.0, 0.0))
    assert data([1.0]).draw(torch.Generator()).importance is None


@pytest.mark.parametrize("weights", [[], [0.0, 0.0]])
def test_nothing_to_train_on_is_told(weights: list[float]) -> None:
    with pytest.raises(NotEnoughData, match="no picture to train on"):
        data(weights)


def test_the_identity_follows_from_pictures_captions_and_weights() -> None:
    one = Example("1", torch.zeros(1, 2, 2), "a")
    others = [
        [Example("1", torch.ones(1, 2, 2), "a")],
        [Example("1", torch.zeros(1, 2, 2), "b")],
        [Example("1", torch.zeros(1, 2, 2), "a", weight=2)],
        [one, one],
    ]
    assert identity_of([one]) == identity_of([Example("1", torch.zeros(1, 2, 2), "a")])
    assert len({identity_of(other) for other in [[one], *others]}) == 5
