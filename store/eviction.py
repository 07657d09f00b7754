"""Room in a table of cached arrays: the oldest that nobody holds go, until the rest fits."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from store.table import Table

DELETED = 1000
"""keys that are deleted together"""
MADE_IN = "_row_created_at_version"


@dataclass(frozen=True, slots=True)
class Cached:
    """One array, not read."""

    made: int
    """the version of its table in which it was added"""
    key: str
    size: int
    """bytes"""
    table: Table


def evict(held: Mapping[Table, Collection[str]], most: int, *, delete: bool) -> tuple[int, int]:
    """(arrays, bytes) beyond ``most`` bytes in these tables together, without those that are ``held`` of each.

    The oldest go first; of equally old ones those of the smaller key. The bytes are free once the versions before
    have been let go.
    """
    there = sorted((one for table in held for one in _all(table)), key=lambda one: (one.made, one.key))
    over = sum(one.size for one in there) - most
    going: list[Cached] = []
    size = 0
    for one in there:
        if size >= over:
            break
        if one.key not in held[one.table]:
            going.append(one)
            size += one.size
    for table in held if delete else ():
        _delete(table, [one.key for one in going if one.table is table])
    return len(going), size


def _all(table: Table) -> Iterator[Cached]:
    names = ("key", "dtype", "shape", MADE_IN)
    found = table.dataset().to_table(columns=list(names))
    for key, dtype, shape, made in zip(*(found[name].to_pylist() for name in names), strict=True):
        yield Cached(made, key, np.dtype(dtype).itemsize * prod(shape), table)


def _delete(table: Table, keys: Sequence[str]) -> None:
    """Delete rows, and let every tag stand for what is left: no state of a dataset follows from a cache."""
    if not keys:
        return
    dataset: Any = table.dataset()
    for start in range(0, len(keys), DELETED):
        words = ", ".join(f"'{key}'" for key in keys[start : start + DELETED])
        dataset.delete(f"key IN ({words})")
    dataset.optimize.compact_files(num_threads=1)
    for tag in dataset.tags.list():
        dataset.tags.update(tag, dataset.version)
