"""One writer at a time, across processes. The kernel lets go when the holder dies, however it dies."""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from store.faults import explained

Waiting = Callable[[str], None]
POLL = 0.1  # seconds; polling keeps Ctrl-C working and notices a new holder


@contextmanager
def exclusive(path: Path, waiting: Waiting | None = None) -> Iterator[None]:
    """Hold the lock of the file ``path`` against every other thread and process; not re-entrant.

    The holder's process id stands in the file. ``waiting`` is told who holds it, once for each holder.
    """
    handle = _opened(path)
    try:
        told = ""
        while not _taken(handle):
            holder = _holder(handle)
            if waiting is not None and holder != told:
                waiting(f"waiting for process {holder or '(unknown)'}, which writes to {path.parent}")
                told = holder
            time.sleep(POLL)
        with suppress(OSError):  # on a full disk the name is missing, and the lock holds all the same
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)  # lets go; the file stays, since removing it would let two in


@contextmanager
def if_free(path: Path) -> Iterator[bool]:
    """Whether the lock of the file ``path`` could be had at once; if so it is held."""
    handle = _opened(path)
    try:
        yield _taken(handle)
    finally:
        os.close(handle)


def _opened(path: Path) -> int:
    with explained(str(path.parent)):
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(handle: int) -> str:
    return os.pread(handle, 32, 0).decode(errors="replace").strip()


@dataclass
class _Held:
    guard: threading.Lock = field(default_factory=threading.Lock)
    depth: int = 0
    stack: ExitStack = field(default_factory=ExitStack)


_held: dict[Path, _Held] = {}
_held_guard = threading.Lock()


@contextmanager
def reentrant(path: Path, waiting: Waiting | None = None) -> Iterator[None]:
    """Like `exclusive`, but all threads of this process share it: a flow holds it and its tasks pass."""
    with _held_guard:
        held = _held.setdefault(path.resolve(), _Held())
    with held.guard:
        if held.depth == 0:
            held.stack.enter_context(exclusive(path, waiting))
        held.depth += 1
    try:
        yield
    finally:
        with held.guard:
            held.depth -= 1
            if held.depth == 0:
                held.stack.close()
