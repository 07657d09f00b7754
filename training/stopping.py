"""Notices that the process is asked to stop (SIGTERM, or Ctrl-C in its terminal), so that the loop can save first."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

HEARD = (signal.SIGTERM, signal.SIGINT)
"""a terminal sends the second to all it runs, whereupon who started this process sends it the first as well"""
ECHO = 3.0
"""seconds after the first signal in which others only repeat it: who ends a whole family of processes asks each of
them, and each asks those that it started"""


class Stopping:
    """True once the process was asked to stop."""

    def __init__(self) -> None:
        self.since: float | None = None

    def __bool__(self) -> bool:
        return self.since is not None


_newest = Stopping()


def asked() -> bool:
    """Whether the process was asked to stop, and `stopping` heard it."""
    return bool(_newest)


@contextmanager
def stopping() -> Iterator[Stopping]:
    """Within it a signal only sets the flag; one that comes `ECHO` seconds after the first ends the process.

    Elsewhere than in the main thread, where Python hears no signals, the flag stays as it is.
    """
    global _newest
    flag = _newest = Stopping()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return

    def hear(number: int, _frame: FrameType | None) -> None:
        if flag.since is None:
            flag.since = time.monotonic()
        elif time.monotonic() - flag.since > ECHO:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    heard = [number for number in HEARD if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, hear) for number in heard}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
