"""Notices that the process is asked to stop (SIGTERM, or Ctrl-C in its terminal), so that the loop can save first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

HEARD = (signal.SIGTERM, signal.SIGINT)
"""a terminal sends the second to all it runs, whereupon who started this process sends it the first as well"""


class Stopping:
    """True once the process was asked to stop."""

    def __init__(self) -> None:
        self.asked = False

    def __bool__(self) -> bool:
        return self.asked


@contextmanager
def stopping() -> Iterator[Stopping]:
    """Within it the first of each signal only sets the flag; a second one ends the process.

    Elsewhere than in the main thread, where Python hears no signals, the flag stays as it is.
    """
    flag = Stopping()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return

    def hear(number: int, _frame: FrameType | None) -> None:
        flag.asked = True
        signal.signal(number, signal.SIG_DFL)

    heard = [number for number in HEARD if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, hear) for number in heard}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
