from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioning.calibration import NEVER, fitted, remembered_calibration
from captioning.captioner import Batch, Review
from captioning.captioners.clip_tags import ClipTags
from captioning.wording import runs, says
from core.cache import Memory
from core.record import Record
from tests.captioning.things import a_record, read, unread


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are too sure of themselves: a tag of score s is right with a chance of s squared."""
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.05, 0.99, count).astype(np.float32)
    return scores, rng.random(count) < scores**2


def test_a_calibrated_score_is_the_share_of_right_tags() -> None:
    curve = fitted(*drawn(4000))
    scores, right = drawn(4000, seed=1)
    for low in (0.1, 0.3, 0.5, 0.7):
        chances = curve(scores)
        here = (chances >= low) & (chances < low + 0.2)
        assert abs(right[here].mean() - chances[here].mean()) < 0.05


@pytest.mark.parametrize("promise", [0.6, 0.7, 0.8])
def test_a_promised_precision_holds_on_tags_that_nobody_has_reviewed(promise: float) -> None:
    curve = fitted(*drawn(2000))
    least = curve.reaching(promise)
    scores, right = drawn(4000, seed=1)
    assert abs(right[curve(scores) >= least].mean() - promise) < 0.05
    assert abs(curve.promised(least) - promise) < 0.02


def test_a_precision_that_cannot_be_had_says_nothing() -> None:
    scores, _ = drawn(100)
    curve = fitted(scores, np.zeros(100, bool))
    assert curve.reaching(0.9) == NEVER
    assert curve(scores).max() < 0.1


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=1, max_size=40))
def test_a_higher_score_never_gets_a_lower_chance(reviews: list[tuple[float, bool]]) -> None:
    scores, right = (np.array(column) for column in zip(*reviews, strict=True))
    chances = fitted(scores.astype(np.float32), right)(np.linspace(0, 1, 20, dtype=np.float32))
    assert ((chances >= 0) & (chances <= 1)).all()
    assert (np.diff(chances) >= -1e-6).all()


def test_the_curve_lasts_until_the_reviews_have_doubled() -> None:
    cache = Memory()
    assert remembered_calibration(cache, "key", 9, 10, lambda: drawn(9)) == (None, 0)
    curve, count = remembered_calibration(cache, "key", 10, 10, lambda: drawn(10))
    assert curve is not None
    assert count == 10
    again, count = remembered_calibration(cache, "key", 19, 10, lambda: drawn(19))
    assert again is not None
    assert (again.slope, again.offset, count) == (curve.slope, curve.offset, 10)
    np.testing.assert_array_equal(again.scores, curve.scores)
    assert remembered_calibration(cache, "key", 20, 10, lambda: drawn(20))[1] == 20


RECORDS = [a_record(number) for number in range(1, 25)]


def reviewed(records: Iterable[Record], said: str) -> list[Review]:
    return [Review(record, said) for record in records]


def test_reviews_change_the_key_and_the_scores_from_a_number_on(random_clip: str) -> None:
    tags = ClipTags(clip=random_clip, facets=("palette",), reviews=12, threshold=0.0)
    batch = Batch(RECORDS, read, Memory())
    plain_key = tags.engines(batch)[RECORDS[20].id]
    few = replace(batch, reviews=reviewed(RECORDS[:11], "a red thing"))
    assert tags.engines(few)[RECORDS[20].id] == plain_key
    enough = replace(batch, reviews=reviewed(RECORDS[:12], "a red thing"))
    assert tags.engines(enough)[RECORDS[20].id] != plain_key
    before, after = (tags.captions(replace(b, records=RECORDS[20:])) for b in (few, enough))
    assert before != after


def test_captions_that_do_not_speak_of_a_facet_say_nothing_about_it(random_clip: str) -> None:
    tags = ClipTags(clip=random_clip, facets=("palette",), reviews=12)
    batch = Batch(RECORDS, unread, Memory())
    silent = replace(batch, reviews=reviewed(RECORDS[:20], "my cat Tiger"))
    assert tags.engines(silent) == tags.engines(batch)


def test_a_tag_that_a_person_struck_out_speaks_of_its_facet(random_clip: str) -> None:
    tags = ClipTags(clip=random_clip, facets=("palette",), reviews=12)
    batch = Batch(RECORDS, read, Memory())
    struck = replace(batch, reviews=[Review(record, "my cat Tiger", ("red",)) for record in RECORDS[:12]])
    assert tags.engines(struck) != tags.engines(batch)


def test_a_precision_takes_the_place_of_the_threshold_once_there_are_reviews(random_clip: str) -> None:
    batch = Batch(RECORDS, read, Memory(), reviewed(RECORDS[:20], "nothing of blue or yellow"))
    strict = ClipTags(clip=random_clip, facets=("palette",), reviews=12, precision=0.99, threshold=0.0)
    strict.engines(batch)
    assert not any(caption.scores for caption in strict.captions(batch))
    without = ClipTags(clip=random_clip, facets=("palette",), precision=0.99, threshold=0.0)
    assert all(caption.scores for caption in without.captions(replace(batch, reviews=())))


def test_words_are_found_as_words_and_not_across_commas() -> None:
    said = runs("A photo of the Red_apple, on a white plate")
    assert says(said, ["a red apple"])
    assert says(said, ["white plate", "nothing"])
    assert not says(said, ["apple on white"])
    assert not says(said, ["pp"])
