"""Work done ahead in threads, so that reading and decoding go on while a network computes."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from core.cpus import usable_cpus

T = TypeVar("T")
R = TypeVar("R")

MOST_THREADS = 8


def ahead(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """``work(item)`` of each item, in order; each thread works on one and has one ready, which bounds the memory.

    For work that leaves Python's lock, such as decoding. An error comes out where its item's turn is. On one processor
    nothing is gained by threads, and a fifth may be lost by their taking turns: there it is done as it is asked for.
    """
    count = min(usable_cpus(), MOST_THREADS)
    if count == 1:
        yield from map(work, items)
        return
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
