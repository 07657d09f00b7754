"""A process that ends when the one that started it does, however that ends."""

import ctypes
import signal

PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Between fork and exec: the kernel sends SIGTERM when the thread that started this process is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
