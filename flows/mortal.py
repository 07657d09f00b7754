"""A process that ends when the one that started it does, however that ends."""

import ctypes
import signal

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
"""loaded here: between fork and exec a lock may be held by a thread that is no longer there"""


def end_with_parent() -> None:
    """Between fork and exec: the kernel sends SIGTERM when the thread that started this process is gone."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
