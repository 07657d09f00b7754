"""Decode and measure in processes of their own: a picture that kills or hangs one costs that picture, not the run.

They are fresh interpreters (nothing is forked, the caller's ``__main__`` is not run again) that import numpy, Pillow
and this package: about a third of a second each. Nothing but JSON comes back from them.
"""

import json
import os
import queue
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Self

from core.cpus import usable_cpus
from core.record import Reason
from curation.filter import Filter
from curation.measure import Measured, from_json
from curation.reading import Reading

GIB = 1 << 30
STARTING = 120.0
"""seconds a new process has to say that it is ready"""
PIECE = 1 << 16
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}


class Died(Exception):
    """The process ended before it answered."""


class Worker:
    """One process, used by one thread at a time."""

    def __init__(self, setup: str) -> None:
        paths = json.dumps([path or os.getcwd() for path in sys.path])  # noqa: PTH109
        start = "import json, sys; sys.path[:0] = json.loads(sys.argv[1]); from curation.worker import main; main()"
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  `stop` closes it
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", start, paths],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=os.environ | ONE_THREAD,
            bufsize=0,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        try:
            self.exchange(setup.encode() + b"\n", STARTING)
        except (Died, TimeoutError):
            self.stop()
            self._said.seek(0)
            said = self._said.read().decode(errors="replace").strip()
            raise RuntimeError(f"the decoding process did not start: {said[-2000:] or 'it said nothing'}") from None

    def exchange(self, request: bytes, seconds: float) -> str:
        """Send, and wait for the line that answers; `Died` or `TimeoutError` where none comes."""
        deadline = time.monotonic() + seconds
        unsent, answer = memoryview(request), bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(self._out, selectors.EVENT_READ)
            ready.register(self._in, selectors.EVENT_WRITE)
            while not answer.endswith(b"\n"):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                for key, _ in ready.select(left):
                    if key.fd == self._out:
                        piece = os.read(self._out, PIECE)
                        if not piece:
                            raise Died
                        answer += piece
                        continue
                    try:
                        unsent = unsent[os.write(self._in, unsent[:PIECE]) :]
                    except BrokenPipeError:
                        raise Died from None
                    if not unsent:
                        ready.unregister(self._in)
        return answer.decode()

    def stop(self) -> str:
        """End the process now; how it ended, in words."""
        self._process.poll()
        if self._process.returncode is None:
            self._process.kill()
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._said):
            assert pipe is not None
            pipe.close()
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


class Workers:
    """As many processes as threads ask at the same time, but no more than cores.

    ``with Workers(filters, Reading()) as workers: workers.measure(data)``
    """

    def __init__(self, filters: Sequence[Filter], how: Reading, *, memory: int = 4 * GIB) -> None:
        self._seconds = how.seconds
        self._made_of = filters, how, memory
        self._setup = json.dumps(
            {
                "filters": [(type(one).__module__, type(one).__qualname__, one.model_dump_json()) for one in filters],
                "reading": how.model_dump(mode="json"),
                "memory": memory,
            }
        )
        self._idle: queue.LifoQueue[Worker] = queue.LifoQueue()
        self._places = threading.BoundedSemaphore(usable_cpus())

    def measure(self, data: bytes) -> Measured | Reason:
        """What is known of a picture after one decode, or why it is refused. May be called from several threads."""
        with self._places:
            return self._measure(data)

    def _measure(self, data: bytes) -> Measured | Reason:
        try:
            worker = self._idle.get_nowait()
        except queue.Empty:
            worker = Worker(self._setup)
        try:
            line = worker.exchange(len(data).to_bytes(8, "big") + data, self._seconds)
        except Died:
            return Reason("worker_died", f"decoding it ended its process ({worker.stop()})")
        except TimeoutError:
            worker.stop()
            return Reason("took_too_long", f"decoding it was stopped after {self._seconds:g} s")
        except BaseException:
            worker.stop()
            raise
        self._idle.put(worker)
        return from_json(line)

    def __reduce__(self) -> tuple[Callable[..., "Workers"], tuple[Sequence[Filter], Reading]]:
        """Sent to another machine they are made anew there; their processes end with the one that started them."""
        filters, how, memory = self._made_of
        return partial(Workers, memory=memory), (filters, how)

    def __call__(self, pictures: Sequence[bytes]) -> list[Measured | Reason]:
        """The same of several, one after another: the work of an engine."""
        return [self.measure(data) for data in pictures]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while not self._idle.empty():
            self._idle.get().stop()
