"""Progress of long work, said by whoever does it and shown by whoever started it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")
Sink = Callable[[str, int, int], None]
"""called with (what is being done, how many are done, how many there are, or `UNKNOWN` or `WORDS`)"""
UNKNOWN = -1
"""as the total: how many there are is not known before the end"""
WORDS = -2
"""as the total: the label is something to be told, not work"""

_sink: ContextVar[Sink | None] = ContextVar("velatura_progress", default=None)


@contextmanager
def shown_by(sink: Sink) -> Iterator[None]:
    """Send all progress within the block to ``sink``."""
    token = _sink.set(sink)
    try:
        yield
    finally:
        _sink.reset(token)


def report(label: str, done: int, total: int) -> None:
    """Say how far the work called ``label`` is; costs nothing where nobody listens."""
    sink = _sink.get()
    if sink is not None:
        sink(label, done, total)


def say(words: str) -> None:
    """One line to whoever watches: a wait, a word, not a piece of work."""
    report(words, 0, WORDS)


def track(items: Iterable[T], label: str, total: int) -> Iterator[T]:
    """Pass ``items`` through and report each."""
    report(label, 0, total)
    for done, item in enumerate(items, 1):
        yield item
        report(label, done, total)
