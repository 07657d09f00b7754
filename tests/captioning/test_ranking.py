import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from captioning.background import measured, remembered_background
from captioning.composing import Tag, candidates, choose, compose
from captioning.facets import Facet, Phrase
from captioning.ranking import against_each_other, against_the_set, best, by_sigmoid
from core.cache import Memory

SUBJECT = Facet(
    name="subject",
    phrases=(Phrase("a red heart", (), ("things",)), Phrase("a heart"), Phrase("a dog", ("a puppy",), ("animals",))),
    exclusive=True,
    null=("nothing",),
    threshold=0.5,
    most=2,
)
GROUP = Facet(
    name="group", threshold=0.5, phrases=(Phrase("things"), Phrase("animals")), exclusive=True, null=("nothing",)
)
PALETTE = Facet(name="palette", threshold=0.5, phrases=(Phrase("red"), Phrase("white")), most=2, joined=" and ")
SETTING = Facet(
    name="setting", threshold=0.5, phrases=(Phrase("on a white background"),), exclusive=True, null=("nothing",)
)
FACETS = [SUBJECT, GROUP, PALETTE, SETTING]


def tags(most: int = 8, least: float | None = None, **scores: list[float]) -> list[Tag]:
    ranked = {
        facet.name: best(np.array([scores.get(facet.name, [0.0] * len(facet.phrases))]), len(facet.phrases))[0]
        for facet in FACETS
    }
    thresholds = {facet.name: facet.threshold if least is None else least for facet in FACETS}
    return choose(candidates(FACETS, ranked, thresholds), most)


def said(some: list[Tag]) -> list[str]:
    return [tag.phrase.say for tag in some]


@given(arrays(np.float32, (3, 4), elements=st.floats(-1, 1, width=32)), st.floats(1, 100))
def test_shares_of_exclusive_answers_leave_something_for_none(similarities: np.ndarray, sharpness: float) -> None:
    shares = against_each_other(similarities, np.zeros(3, np.float32), sharpness)
    assert (shares >= 0).all()
    assert (shares.sum(1) <= 1 + 1e-5).all()
    best = np.take_along_axis(shares, similarities.argmax(1)[:, None], 1)[:, 0]
    np.testing.assert_allclose(best, shares.max(1), rtol=1e-5)


def test_a_phrase_that_fits_everything_does_not_stand_out_in_anything() -> None:
    rng = np.random.default_rng(1)
    similarities = rng.normal(0.2, 0.02, (200, 3)).astype(np.float32)
    similarities[:, 0] += 0.3  # fits all
    similarities[7, 1] += 0.15  # fits one
    scores = against_the_set(similarities, measured(similarities))
    assert scores[7, 1] > 0.999
    assert abs(np.median(scores[:, 0]) - 0.5) < 0.1


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_pictures_are_carried_by_the_facets_own_spread(count: int) -> None:
    similarities = np.random.default_rng(2).normal(0.2, 0.02, (count, 4)).astype(np.float32)
    scores = against_the_set(similarities, measured(similarities))
    assert np.isfinite(scores).all()
    assert ((scores > 0) & (scores < 1)).all()


def test_the_background_lasts_until_the_set_has_doubled() -> None:
    cache = Memory()
    first, other = np.zeros((4, 2), np.float32), np.ones((8, 2), np.float32)
    made = remembered_background(cache, "key", 4, lambda: first)
    later = remembered_background(cache, "key", 7, lambda: other)
    np.testing.assert_array_equal(made.mean, later.mean)
    doubled = remembered_background(cache, "key", 8, lambda: other)
    assert doubled.count == 8
    assert doubled.mean[0] > 0.9
    assert remembered_background(cache, "key", 3, lambda: first).count == 8


def test_only_what_is_sure_is_said_in_the_order_of_the_facets() -> None:
    assert said(tags(palette=[0.9, 0.1], setting=[0.8], subject=[0.1, 0.1, 0.7])) == [
        "a dog",
        "red",
        "on a white background",
    ]
    assert said(tags(subject=[0.4, 0.3, 0.2])) == []


def test_words_that_are_said_already_are_not_said_again() -> None:
    assert said(tags(subject=[0.6, 0.5, 0], palette=[0.9, 0])) == ["a red heart"]
    assert said(tags(palette=[0, 0.9], setting=[0.9])) == ["white", "on a white background"]


def test_what_a_subject_implies_is_left_out_and_what_contradicts_it_too() -> None:
    assert said(tags(subject=[0, 0, 0.9], group=[0.1, 0.9])) == ["a dog"]
    assert said(tags(subject=[0, 0, 0.9], group=[0.9, 0.1])) == ["a dog"]
    assert said(tags(group=[0.9, 0.1])) == ["things"]
    assert said(choose(tags(palette=[0.9, 0.8]) * 2, 8)) == ["red", "white"]


def test_a_caption_gives_up_its_least_sure_tag_until_it_fits() -> None:
    some = tags(subject=[0, 0, 0.9], palette=[0.7, 0.6], setting=[0.8])
    words = {"trigger": "om style"}
    text, left = compose(some, "{trigger}, {tags}", words, lambda _: True)
    assert text == "om style, a dog, red and white, on a white background"
    text, left = compose(some, "{trigger}, {tags}", words, lambda text: len(text.split()) <= 7)
    assert text == "om style, a dog, on a white background"[: len(text)]
    assert said(left) == ["a dog"]
    assert compose(some, "{trigger}, {tags}", words, lambda _: False) == ("om style", [])


def test_facets_with_a_place_of_their_own_are_not_repeated_among_the_tags() -> None:
    some = tags(subject=[0, 0, 0.9], palette=[0.7, 0.6], setting=[0.8])
    text, _ = compose(some, "an emoji of {subject}[, {tags}][ {setting}]", {}, lambda _: True)
    assert text == "an emoji of a dog, red and white on a white background"


def test_at_most_so_many_tags_the_surest_ones() -> None:
    every: dict[str, list[float]] = {"subject": [0, 0, 0.6], "group": [0, 0], "palette": [0.9, 0.55], "setting": [0.8]}
    assert said(tags(2, **every)) == ["red", "on a white background"]
    assert said(tags(least=0.7, **every)) == ["red", "on a white background"]


def test_what_the_files_name_says_already_is_not_said_again() -> None:
    some = tags(palette=[0.7, 0.6], setting=[0.8])
    named = {"name": "red apple"}
    assert compose(some, "{a name}, {tags}", named, lambda _: True)[0] == "a red apple, white, on a white background"
    assert compose(some, "{tags}", named, lambda _: True)[0] == "red and white, on a white background"


SHIRTS = Facet(
    name="wearing", threshold=0.5, most=3, phrases=(Phrase("a shirt"), Phrase("a white shirt"), Phrase("a hat"))
)
PLACE = Facet(
    name="place",
    threshold=0.5,
    exclusive=True,
    null=("nothing",),
    phrases=(Phrase("indoors"), Phrase("in a park", implies=("outdoors",)), Phrase("outdoors")),
)


def test_the_shorter_of_two_tags_goes_whichever_comes_first() -> None:
    short, long, hat = (Tag(SHIRTS, phrase, 0.9, 0.5) for phrase in SHIRTS.phrases)
    assert said(choose([short, long, hat], 8)) == ["a white shirt", "a hat"]
    assert said(choose([long, short, hat], 8)) == ["a white shirt", "a hat"]


def test_of_two_answers_that_exclude_each_other_the_one_that_is_worth_more_is_said() -> None:
    inside = Tag(PLACE, PLACE.phrases[0], 0.6, 0.5)
    park = Tag(SHIRTS, Phrase("a bench in a park", implies=("outdoors",)), 0.95, 0.5)
    assert said(choose([inside, park], 8)) == ["a bench in a park"]
    sure = Tag(PLACE, PLACE.phrases[0], 0.99, 0.5)
    assert said(choose([sure, park], 8)) == ["indoors"]


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0.5, 1)), max_size=6), st.integers(1, 30), st.integers(1, 4))
def test_what_is_chosen_fits_and_a_wider_beam_is_never_worse(
    drawn: list[tuple[int, float]], room: int, most: int
) -> None:
    some = [Tag(SHIRTS, SHIRTS.phrases[at], score, 0.5) for at, score in drawn]
    chosen = [choose(some, most, beam=width, room=room, cost=len) for width in (1, 20)]
    for tags_said in chosen:
        assert len(tags_said) <= most
        assert sum(len(tag.phrase.say) + 1 for tag in tags_said) <= room
    assert bool(chosen[1]) >= bool(chosen[0])


def test_a_sigmoid_scores_each_phrase_for_itself() -> None:
    scores = by_sigmoid(np.array([[0.1, 0.3]], np.float32), 10.0, -2.0)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-np.array([[-1.0, 1.0]]))), rtol=1e-5)
    alone = by_sigmoid(np.array([[0.3]], np.float32), 10.0, -2.0)
    np.testing.assert_allclose(alone[0, 0], scores[0, 1])


@given(arrays(np.float32, (4, 6), elements=st.sampled_from([0, 0.25, 0.5, 1])), st.integers(1, 6))
def test_the_best_phrases_come_in_order_and_none_is_forgotten(scores: np.ndarray, count: int) -> None:
    for row, found in zip(scores, best(scores, count), strict=True):
        assert [score for _, score in found] == sorted(row.tolist(), reverse=True)[:count]
        assert len({place for place, _ in found}) == count
