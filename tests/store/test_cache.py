from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.extra import numpy as arrays

from core.cache import Array, remembered
from core.hashing import digest
from store.store import Store
from tests.store.things import all_rows

DTYPES = arrays.scalar_dtypes() | arrays.unicode_string_dtypes()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrays.arrays(DTYPES, arrays.array_shapes(min_dims=0, min_side=0)))
def test_any_array_comes_back_bit_for_bit(store: Store, array: Array) -> None:
    cache, key = store.cache("latents"), digest(array.dtype.str, array.shape, array.tobytes().hex())
    cache.put({key: array})
    back = cache.get([key])[key]
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())
    assert back.flags.writeable


def test_a_key_that_is_there_already_is_left_as_it_is(store: Store) -> None:
    cache = store.cache("embeddings")
    cache.put({"a": np.zeros(3), "b": np.ones(3)})
    cache.put({"a": np.ones(3), "c": np.ones(3)})
    assert cache.get(["a", "x"]).keys() == {"a"}
    np.testing.assert_array_equal(cache.get(["a"])["a"], np.zeros(3))
    assert store.cache("latents").get(["a"]) == {}
    assert store.size()["embeddings"] == 3


def test_python_objects_are_not_stored(store: Store) -> None:
    with pytest.raises(AssertionError, match="Python objects"):
        store.cache("latents").put({"a": np.array([object()])})


def test_what_was_made_before_is_not_made_again(store: Store) -> None:
    made: list[int] = []

    def make(positions: list[int]) -> list[Array]:
        made.extend(positions)
        return [np.full(2, position) for position in positions]

    first = remembered(store.cache("latents"), ["a", "b", "a", "c"], make, batch=2)
    again = remembered(Store.open(store.uri).cache("latents"), ["c", "b", "a"], make)
    assert made == [0, 1, 3]
    np.testing.assert_array_equal([first[3], first[1], first[0]], again)


def test_many_small_commits_are_joined_and_old_snapshots_stay_readable(store: Store) -> None:
    cache = store.cache("latents")
    for number in range(20):
        cache.put({f"early-{number}": np.zeros(2)})
    tag = store.snapshot().tag
    for number in range(80):
        cache.put({f"late-{number}": np.zeros(2)})
    table = store._tables["latents"]
    assert len(table.dataset().get_fragments()) < 40
    table.dataset().cleanup_old_versions(older_than=timedelta(0), error_if_tagged_old_versions=False)
    assert table.dataset(tag).count_rows() == 20
    keys = sorted(row["key"] for row in all_rows(store, "latents"))
    assert keys == sorted([f"early-{n}" for n in range(20)] + [f"late-{n}" for n in range(80)])
