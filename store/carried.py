"""A cache that goes along with work: at home it writes, sent to another process it notes what is to be written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from core.cache import Array
from store.tables import CacheName

if TYPE_CHECKING:
    from store.store import Store


class Carried:
    """A `core.cache.Cache`. Where it was pickled it reads the store's table there, and never writes to it."""

    def __init__(self, store: Store, table: CacheName, away: bool = False) -> None:
        self._store, self._table, self._away = store, table, away
        self._cache = store.cache(table)
        self._noted: dict[str, Array] = {}

    def __reduce__(self) -> tuple[Callable[..., Carried], tuple[Store, CacheName, bool]]:
        return Carried, (self._store, self._table, True)

    def get(self, keys: Sequence[str]) -> dict[str, Array]:
        """Those of ``keys`` that are there or noted."""
        noted = {key: self._noted[key] for key in keys if key in self._noted}
        rest = [key for key in keys if key not in noted]
        return noted | (self._cache.get(rest) if rest else {})

    def put(self, arrays: Mapping[str, Array]) -> None:
        """Add arrays, or note them; a key that is there already is left as it is."""
        if not self._away:
            self._cache.put(arrays)
            return
        for key, array in arrays.items():
            self._noted.setdefault(key, array)

    def taken(self) -> dict[str, Array]:
        """What was noted since this was asked last: to be put by whoever the work came from; nothing at home."""
        noted, self._noted = self._noted, {}
        return noted
