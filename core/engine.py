"""Where the heavy part of a stage is done: in this process, or in many on other machines. The results are the same."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Engine(Protocol):
    """Does a stage's work part by part; whoever asks writes the results down, so that each table has one writer."""

    @property
    def apart(self) -> bool:
        """Whether work and parts are sent to other processes: both must then be picklable, and parts small."""

    def map(self, work: Callable[[T], R], parts: Iterable[T]) -> Iterator[R]:
        """``work(part)`` of each part, in order. A part may be done twice where a machine was lost on the way.

        Parts are taken as there is room for them, so that their number may be without end.
        """


class Here:
    """The process that asks, one part after another."""

    apart = False

    def map(self, work: Callable[[T], R], parts: Iterable[T]) -> Iterator[R]:
        """As `Engine.map`."""
        return map(work, parts)


HERE = Here()


def gathered(results: Iterable[list[T]], least: int) -> Iterator[list[T]]:
    """Lists joined until they have ``least`` items, so that what comes in small parts is written in large ones."""
    together: list[T] = []
    for some in results:
        together += some
        if len(together) >= least:
            yield together
            together = []
    if together:
        yield together


def cut(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Parts of ``size`` items, the last one shorter."""
    return [items[start : start + size] for start in range(0, len(items), size)]
