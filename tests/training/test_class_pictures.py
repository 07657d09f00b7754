import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backbones.backbone import Backbone
from core.cache import Memory
from training.class_pictures import ClassPictures, drawn_class, with_class
from training.data import Example

SPEC = ClassPictures(prompts=("a thing", "two things"), count=3, steps=1)


def test_class_pictures_are_drawn_once_and_follow_from_what_is_asked(base: Backbone) -> None:
    cache = Memory()
    first = drawn_class(SPEC, base, cache)
    assert [example.caption for example in first] == ["a thing", "two things", "a thing"]
    assert len({example.record for example in first}) == 3
    assert first[0].latent.shape == (4, 8, 8)

    def never(*_args: object, **_more: object) -> None:
        pytest.fail("it was drawn again")

    sample, base.sample = base.sample, never  # type: ignore[method-assign, assignment]
    try:
        again = drawn_class(SPEC, base, cache)
    finally:
        base.sample = sample  # type: ignore[method-assign]
    assert all(torch.equal(one.latent, other.latent) for one, other in zip(first, again, strict=True))
    other = drawn_class(SPEC.model_copy(update={"seed": 1, "count": 1}), base, cache)
    assert not torch.equal(other[0].latent, first[0].latent)


@given(
    share=st.floats(0.05, 0.95),
    weights=st.lists(st.floats(0.1, 10), min_size=1, max_size=9),
    count=st.integers(1, 20),
    importance=st.floats(0.01, 5),
)
@settings(max_examples=50, deadline=None)
def test_they_make_up_the_share_that_was_asked_for(
    share: float, weights: list[float], count: int, importance: float
) -> None:
    latent = torch.zeros(1, 1, 1)
    examples = [Example(str(n), latent, "", weight) for n, weight in enumerate(weights)]
    of_class = [Example(f"class-{n}", latent, "") for n in range(count)]
    spec = ClassPictures(prompts=("a",), share=share, weight=importance)
    both = with_class(spec, examples, of_class)
    shown = sum(example.weight for example in both[len(examples) :])
    assert shown / sum(example.weight for example in both) == pytest.approx(share)
    assert both[: len(examples)] == examples
    assert {example.importance for example in both[len(examples) :]} == {importance}
