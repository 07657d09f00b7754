"""Notices that the process is asked to stop (SIGTERM), so that the loop can save first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopping:
    """True once the process was asked to stop."""

    def __init__(self) -> None:
        self.asked = False

    def __bool__(self) -> bool:
        return self.asked


@contextmanager
def stopping() -> Iterator[Stopping]:
    """Within it the first SIGTERM only sets the flag; a second one ends the process.

    Elsewhere than in the main thread, where Python hears no signals, the flag stays as it is.
    """
    flag = Stopping()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return

    def hear(_number: int, _frame: FrameType | None) -> None:
        flag.asked = True
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    before = signal.signal(signal.SIGTERM, hear)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGTERM, before)
