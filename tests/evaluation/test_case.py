import torch

from core.cache import Memory
from evaluation.case import Case, chosen, prior_cases
from tests.evaluation.things import TinyBackbone, cases


def test_different_groups_are_chosen_before_a_second_picture_of_any(base: TinyBackbone) -> None:
    twenty = cases(base, "train", 20, groups=5)
    assert len({case.group for case in chosen(twenty, 5)}) == 5
    assert len(chosen(twenty, 7)) == 7
    assert chosen(twenty, 50) == twenty


def test_the_choice_does_not_depend_on_order_and_hardly_on_what_is_added(base: TinyBackbone) -> None:
    twenty = cases(base, "train", 20)
    first = {case.record for case in chosen(twenty, 8)}
    assert {case.record for case in chosen(twenty[::-1], 8)} == first
    assert len(first - {case.record for case in chosen(cases(base, "train", 21), 8)}) <= 1


def test_what_the_base_knows_is_drawn_once_and_kept(base: TinyBackbone) -> None:
    cache = Memory()
    first = prior_cases(base, ["a cat", "a dog"], cache)

    class Tired(TinyBackbone):
        def sample(self, *_: object, **__: object) -> list[object]:  # type: ignore[override]
            raise AssertionError("it was kept")

    again = prior_cases(Tired(base.network), ["a cat", "a dog"], cache)
    assert [case.record for case in first] == [case.record for case in again]
    assert all(torch.equal(a.latent, b.latent) for a, b in zip(first, again, strict=True))
    assert isinstance(first[0], Case) and first[0].latent.shape == (2, 6, 6)
    assert not torch.equal(first[0].latent, first[1].latent)


def test_a_prompt_that_stands_twice_is_drawn_with_two_seeds(base: TinyBackbone) -> None:
    one, other = prior_cases(base, ["a cat", "a cat"])
    assert one.record != other.record and not torch.equal(one.latent, other.latent)
