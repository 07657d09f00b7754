"""What has been computed once is not computed again: arrays under content keys, wherever the store keeps them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]


class Cache(Protocol):
    """A table of arrays by key. A key says content, transform and model fingerprint, so nothing stale is ever read."""

    def get(self, keys: Sequence[str]) -> dict[str, Array]:
        """Those of ``keys`` that are there."""

    def put(self, arrays: Mapping[str, Array]) -> None:
        """Add arrays; a key that is there already is left as it is."""


class Memory:
    """A cache that lasts as long as the process: for tests and for work that has no store."""

    def __init__(self) -> None:
        self._arrays: dict[str, Array] = {}

    def get(self, keys: Sequence[str]) -> dict[str, Array]:
        """Those of ``keys`` that are there."""
        return {key: self._arrays[key] for key in keys if key in self._arrays}

    def put(self, arrays: Mapping[str, Array]) -> None:
        """Add arrays; a key that is there already is left as it is."""
        for key, array in arrays.items():
            self._arrays.setdefault(key, array)


class Touched:
    """A cache that knows which keys were asked for or added, so that a run can say what it works with."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self.keys: set[str] = set()

    def get(self, keys: Sequence[str]) -> dict[str, Array]:
        """Those of ``keys`` that are there."""
        found = self._cache.get(keys)
        self.keys.update(found)
        return found

    def put(self, arrays: Mapping[str, Array]) -> None:
        """Add arrays; a key that is there already is left as it is."""
        self._cache.put(arrays)
        self.keys.update(arrays)


def remembered(
    cache: Cache, keys: Sequence[str], make: Callable[[list[int]], Sequence[Array]], *, batch: int = 16
) -> list[Array]:
    """The arrays of ``keys``, in order. Only the missing ones are made, ``batch`` at a time, and put away at once.

    ``make`` gets positions in ``keys`` and returns one array for each. A key that stands twice is made once.
    """
    known = cache.get(list(dict.fromkeys(keys)))
    first: dict[str, int] = {}
    for position, key in enumerate(keys):
        if key not in known:
            first.setdefault(key, position)
    missing = list(first.items())
    for start in range(0, len(missing), batch):
        part = missing[start : start + batch]
        arrays = make([position for _, position in part])
        made = {key: array for (key, _), array in zip(part, arrays, strict=True)}
        cache.put(made)
        known.update(made)
    return [known[key] for key in keys]
