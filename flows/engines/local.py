"""On the machine where the run is started: its processes and threads, and its GPU if there is one."""

from collections.abc import Iterator
from contextlib import contextmanager

from core.engine import HERE
from core.engine import Engine as Started
from flows.engine import Engine


class Local(Engine):
    """Needs nothing and starts nothing."""

    @contextmanager
    def started(self) -> Iterator[Started]:
        yield HERE
