"""Which of this machine's GPUs a training has for itself, by locks: one training on each, or one on the CPU."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from core.progress import say
from flows.home import Home
from store.lock import exclusive, if_free

DRIVER = Path("/proc/driver/nvidia/gpus")
VISIBLE = "CUDA_VISIBLE_DEVICES"
POLL = 2.0


def gpus() -> list[str]:
    """Those that processes here may use, as `CUDA_VISIBLE_DEVICES` names them; asked without loading torch."""
    if VISIBLE in os.environ:
        return [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip() not in ("", "-1")]
    return [str(number) for number, _ in enumerate(sorted(DRIVER.glob("*")))]


@contextmanager
def held(home: Home, count: int) -> Iterator[Mapping[str, str]]:
    """Wait for so many GPUs and hold them; the environment in which a trainer sees these only.

    All of them where there are fewer, which the trainer tells; without any, the CPU of this machine is held.
    """
    known = gpus()
    if not known:
        with exclusive(_lock(home, "cpu"), say):
            yield {}
        return
    with ExitStack() as stack:
        yield {VISIBLE: ",".join(_waited_for(home, known, min(count, len(known)), stack))}


def _waited_for(home: Home, known: list[str], count: int, stack: ExitStack) -> list[str]:
    """All at once or none: two trainings that each hold half of what both need would wait for ever."""
    told = False
    while True:
        free: list[str] = []
        with ExitStack() as trying:
            for name in known:
                if len(free) < count and trying.enter_context(if_free(_lock(home, f"gpu-{name}"))):
                    free.append(name)
            if len(free) == count:
                stack.push(trying.pop_all())
                return free
        if not told:
            say(f"waiting for {count} of {len(known)} GPUs: others train on them")
        told = True
        time.sleep(POLL)


def _lock(home: Home, what: str) -> Path:
    """A data folder may be shared, its machines' GPUs are not."""
    return home.root / f"trainer-{socket.gethostname()}-{what.replace('/', '-')}.lock"
