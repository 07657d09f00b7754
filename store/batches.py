"""Rows in commits of a size that a disk and a memory can take."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
ROWS = 10_000
BYTES = 64 << 20


def batches(items: Iterable[T], size: Callable[[T], int] = lambda _: 0) -> Iterator[list[T]]:
    """Lists of at most 10,000 items, ended early where they reach 64 MiB."""
    batch: list[T] = []
    total = 0
    for item in items:
        batch.append(item)
        total += size(item)
        if len(batch) == ROWS or total >= BYTES:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch
