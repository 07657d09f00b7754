"""Things that can only be had one after another, given by their number to several threads that ask nearly in order."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator

Start = Callable[[int], Iterator[tuple[int, bytes]]]
"""the things and their ascending numbers, from the given number on or from before it"""


class Forward:
    """Reads ahead to what is asked for and remembers up to ``room`` bytes of what it passed; else it starts anew."""

    def __init__(self, start: Start, room: int = 64 << 20) -> None:
        self._start, self._room = start, room
        self._lock = threading.Lock()
        self._stream: Iterator[tuple[int, bytes]] | None = None
        self._at = -1
        self._passed: OrderedDict[int, bytes] = OrderedDict()
        self._held = 0

    def get(self, number: int) -> bytes:
        """The thing of this number; an `OSError` where it is not there."""
        with self._lock:
            if number in self._passed:
                data = self._passed.pop(number)
                self._held -= len(data)
                return data
            if self._stream is None or number <= self._at:
                self._stream, self._at = self._start(number), -1
            try:
                return self._ahead(self._stream, number)
            except BaseException:
                self._stream = None
                raise

    def _ahead(self, stream: Iterator[tuple[int, bytes]], number: int) -> bytes:
        for at, data in stream:
            self._at = at
            if at == number:
                return data
            if at > number:
                break
            self._pass(at, data)
        raise OSError("it is no longer there: the file was changed while it was read")

    def _pass(self, at: int, data: bytes) -> None:
        """Remember what another thread will ask for in a moment."""
        if at in self._passed:
            return
        self._passed[at] = data
        self._held += len(data)
        while self._held > self._room:
            self._held -= len(self._passed.popitem(last=False)[1])
