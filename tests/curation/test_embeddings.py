import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import RecipeError
from core.record import Record
from curation import embeddings
from curation.embeddings import Vectors, mean_nearest, nearest_to, pairs_above
from curation.search import search, searchable


def vectors_of(seed: int, count: int, width: int = 4) -> Vectors:
    rng = np.random.default_rng(seed)
    made = rng.integers(-2, 3, (count, width)).astype(np.float32) + np.float32(0.01)  # few values: many equal cosines
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 40), st.floats(-1, 1), st.integers(1, 9))
def test_all_pairs_and_nearest_ones_are_found_whatever_the_block(
    seed: int, count: int, cosine: float, block: int
) -> None:
    vectors = vectors_of(seed, count)
    cosines = vectors @ vectors.T
    pairs = [[a, b] for a in range(count) for b in range(a + 1, count)]
    near = [cosines[a, b] for a, b in pairs]
    if any(abs(value - cosine) < 1e-5 for value in near):
        return  # the last bit of a product may depend on the block
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embeddings, "BLOCK", block)
        assert pairs_above(vectors, cosine).tolist() == [
            p for p, value in zip(pairs, near, strict=True) if value >= cosine
        ]
        if count > 1:
            np.fill_diagonal(cosines, -2)
            expected = 1 - np.sort(cosines, axis=1)[:, -min(3, count - 1) :].mean(1)
            np.testing.assert_allclose(mean_nearest(vectors, 3), expected, atol=1e-5)


def test_a_threshold_that_makes_everything_a_duplicate_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "MOST_PAIRS", 100)
    with pytest.raises(RecipeError, match=r"embedding: -1 makes more than 100 pairs of 20 pictures"):
        pairs_above(vectors_of(1, 20), -1)


@given(st.integers(0, 2**32), st.integers(0, 30), st.integers(1, 40))
def test_the_nearest_stand_in_order_and_of_equal_ones_the_first(seed: int, count: int, wanted: int) -> None:
    vectors, query = vectors_of(seed, count), vectors_of(seed + 1, 1)[0]
    found = nearest_to(query, vectors, wanted)
    cosines = (vectors @ query).tolist()
    assert found == sorted(enumerate(cosines), key=lambda hit: -hit[1])[:wanted]


def record(name: str, **changes: object) -> Record:
    known = {"sha256": name, "source": "s", "name": name, "uri": name, "width": 8, "height": 8, "split": "train"}
    return Record(**{"id": name, **known, **changes})


def test_a_search_looks_through_what_was_asked_for() -> None:
    records = [
        record("kept"),
        record("held out", split="held_out"),
        record("refused", verdict="refused"),
        record("broken", verdict="refused", width=0, height=0),
        record("derived", depth=1),
    ]
    names = {
        ("kept", None, False): {"kept", "held out"},
        ("kept", "held_out", False): {"held out"},
        ("refused", None, False): {"refused"},
        (None, None, True): {"kept", "held out", "refused", "derived"},
    }
    for (verdict, split, derived), expected in names.items():
        assert {one.id for one in searchable(records, verdict, split, derived=derived)} == expected


def test_a_picture_that_is_there_twice_is_found_once() -> None:
    records = [record("first", sha256="x"), record("copy", sha256="x"), record("other")]
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    hits = search(np.array([1, 0], np.float32), records, vectors, 5)
    assert [(hit.record.id, hit.cosine) for hit in hits] == [("first", 1.0), ("other", 0.0)]
    assert search(np.array([1, 0], np.float32), [], vectors[:0], 5) == []
