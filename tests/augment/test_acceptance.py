import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.acceptance import USUAL, Acceptance, Candidate, Vector, compared, judged, neighbours
from backbones.embedding import Embedder
from core.cache import Memory
from core.record import Reason, Record
from tests.augment.things import a_record, reader


def at(degrees: float) -> Vector:
    """A unit vector; the likeness of two is the cosine of the angle between them."""
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], np.float32)


def candidate(apart: float = 0.5, caption: str = "a cat") -> Candidate:
    parent = a_record(1)
    return Candidate(a_record(2, quality={"apart": apart}), parent, caption, resembles=True)


def codes(degrees: float, one: Candidate | None = None, text: float = 0.0, **fields: float) -> list[str]:
    one = one or candidate()
    pictures = {one.parent.id: at(0), one.record.id: at(degrees)}
    found = compared(one, pictures, at(text), (0.6, 0.95), Acceptance(**fields))  # type: ignore[arg-type]
    return [reason.code for reason in found]


def test_a_picture_is_neither_a_copy_of_its_parent_nor_something_else() -> None:
    assert codes(30, caption_margin=1) == []  # cosine .87
    assert codes(5, caption_margin=1) == ["made_too_close"]
    assert codes(80, caption_margin=2) == ["made_drifted"]
    assert codes(30, candidate(apart=0.05), caption_margin=1) == ["made_near_duplicate"]


def test_a_picture_fits_its_caption_about_as_well_as_its_parent_does() -> None:
    assert codes(40, text=0) == ["made_off_caption"]
    assert codes(40, text=40) == []  # it fits better
    assert codes(40, candidate(caption=""), text=0) == []  # nothing is said of it


def test_the_band_is_learned_from_neighbours_of_other_groups_and_can_be_overridden() -> None:
    real = {f"r{n}": at(n * 20) for n in range(10)}
    groups = {name: name for name in real}
    low, high = Acceptance().band(real, groups)
    assert low == pytest.approx(np.cos(np.radians(20)), abs=1e-4)
    assert high == pytest.approx(low, abs=1e-4)
    assert Acceptance(lowest=0.2, highest=0.9).band(real, groups) == (0.2, 0.9)
    twice = {**real, "again": at(0)}
    assert len(neighbours(twice, {**groups, "again": "r0"})) == 10  # near-duplicates are one group, and say nothing


def test_few_pictures_say_too_little_and_the_usual_band_stands_in() -> None:
    real = {f"r{n}": at(n) for n in range(3)}
    assert Acceptance().band(real, {name: name for name in real}) == USUAL
    assert Acceptance().band({}, {}) == USUAL
    assert neighbours(real, dict.fromkeys(real, "one")) == []


@given(st.lists(st.floats(0, 360), min_size=2, max_size=30), st.integers(2, 12))
def test_the_band_is_always_a_band(angles: list[float], groups: int) -> None:
    real = {f"r{n}": at(angle) for n, angle in enumerate(angles)}
    low, high = Acceptance().band(real, {name: f"g{n % groups}" for n, name in enumerate(real)})
    assert -1.001 <= low <= high <= 1.001


@pytest.mark.parametrize(
    ("wrong", "word"), [({"quantiles": (0.9, 0.1)}, "low < high"), ({"lowest": 0.9, "highest": 0.2}, "below highest")]
)
def test_limits_between_which_nothing_lies_are_refused(wrong: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Acceptance(**wrong)  # type: ignore[arg-type]


class Strict:
    """Refuses what scores below a half, as curation would."""

    def measure(self, made: object, parent: object) -> dict[str, float]:
        return {}

    def judge(self, records: list[Record]) -> dict[str, Reason]:
        return {r.id: Reason("blurred", "too soft") for r in records if r.quality.get("sharpness", 1) < 0.5}


def test_class_pictures_are_not_compared_but_have_to_be_good_pictures() -> None:
    parent = a_record(1)
    good, soft = (a_record(n, quality={"sharpness": s}) for n, s in ((2, 0.9), (3, 0.1)))
    both = [Candidate(record, parent, "a dog", resembles=False) for record in (good, soft)]
    eyes = Embedder.named("pocket", Memory())
    found = judged(both, [parent], Acceptance(), eyes, reader(), Strict())  # type: ignore[arg-type]
    assert found == {good.id: (), soft.id: (Reason("made_blurred", "too soft"),)}
