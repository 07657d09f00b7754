"""Arrays that were computed once, kept in the store: the `core.cache.Cache` of embeddings, latents and text states."""

from collections.abc import Mapping, Sequence

import numpy as np

from core.cache import Array
from store.batches import batches
from store.rows import Row, arrow_of, rows_of
from store.table import Table


class TableCache:
    """A cache over one table; any number of processes may fill it at once."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, keys: Sequence[str]) -> dict[str, Array]:
        """Those of ``keys`` that are there."""
        if not keys:
            return {}
        found: dict[str, Array] = {}
        for part in self._table.take(keys):
            for key, dtype, shape, data in rows_of(part, self._table.schema):
                found[key] = np.frombuffer(data, np.dtype(dtype)).reshape(shape).copy()  # a buffer is read-only
        return found

    def put(self, arrays: Mapping[str, Array]) -> None:
        """Add arrays; a key that is there already is left as it is."""
        for batch in batches(arrays.items(), size=lambda item: item[1].nbytes):
            rows: list[Row] = []
            for key, array in batch:
                assert not array.dtype.hasobject, f"{key}: an array of Python objects cannot be stored"
                rows.append((key, array.dtype.str, list(array.shape), array.tobytes()))
            self._table.insert(arrow_of(rows, self._table.schema))
