"""Work done ahead in threads, so that reading and decoding go on while a network computes."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from os import cpu_count
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST_THREADS = 8


def ahead(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """``work(item)`` of each item, in order; each thread works on one and has one ready, which bounds the memory.

    For work that leaves Python's lock, such as decoding. An error comes out where its item's turn is.
    """
    count = min(cpu_count() or 1, MOST_THREADS)
    with ThreadPoolExecutor(count, "velatura-ahead") as threads:
        begun: deque[Future[R]] = deque()
        try:
            for item in items:
                begun.append(threads.submit(work, item))
                if len(begun) > 2 * count:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for one in begun:
                one.cancel()
