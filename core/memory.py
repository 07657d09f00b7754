"""Memory that was let go, handed back to the system: glibc keeps it for each thread, and a long run seems to grow."""

import ctypes
from contextlib import suppress


def give_back() -> None:
    """Takes milliseconds, so once a batch is enough; does nothing where there is no glibc."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
