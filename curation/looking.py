"""Files read ahead in threads: hashed and, where their content is new, measured in processes that may die."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from threading import BoundedSemaphore

from core.cpus import usable_cpus
from core.engine import HERE, Engine
from core.hashing import sha256_of
from core.record import Reason, Record
from curation.known import Known
from curation.measure import Measured
from curation.reading import Reading
from curation.records import is_animated
from curation.source import Found, Refused
from curation.workers import Workers

SENT, SENT_BYTES = 128, 16 << 20
"""pictures, and their bytes, that are sent away together: each sending takes 10 ms of the one process that reads"""
AHEAD = 2
"""files read ahead by each thread"""
MAX_BYTES = 1 << 29
FILES_PER_WORKER, BYTES_PER_WORKER = 1024, 32 << 20
"""below both, starting another process (0.6 s of CPU time) takes longer than it saves"""


@dataclass(frozen=True, slots=True)
class Looked:
    """One file after it was read."""

    found: Found
    data: bytes
    """empty where the content is known already or no picture"""
    sha256: str
    result: Measured | Record | Reason | None
    """a record where another picture's content is the same; None until it is measured"""


class Looker:
    """Looks at files, several at a time. ``waits``: how many of them at least, because they wait for a network."""

    def __init__(self, known: Known, workers: Workers, reading: Reading, waits: int, engine: Engine = HERE) -> None:
        self._known, self._workers, self._reading, self._waits = known, workers, reading, waits
        self._engine = engine
        self._turn = BoundedSemaphore(usable_cpus())  # many may wait for a network, but each decodes in a process

    def looks(self, files: list[Found]) -> Iterator[Looked]:
        """Read, hash and, where the content is new, measure; in order."""
        if not self._engine.apart:
            return self._each(files, self.look)
        return measured_apart(self._each(files, self.open), self._workers, self._engine)

    def _each(self, files: list[Found], look: Callable[[Found], Looked]) -> Iterator[Looked]:
        """``look(file)`` of each, in threads, in order."""
        num_bytes = sum(found.size for found in files)
        worth = 1 + max(len(files) // FILES_PER_WORKER, num_bytes // BYTES_PER_WORKER)
        num_threads = max(self._waits, min(usable_cpus(), worth))
        with ThreadPoolExecutor(num_threads) as threads:
            rest = iter(files)

            def submitted(some: Iterable[Found]) -> Iterator[Future[Looked]]:
                return (threads.submit(look, found) for found in some)

            ahead = deque(submitted(islice(rest, AHEAD * num_threads)))
            try:
                while ahead:
                    looked = ahead.popleft().result()
                    ahead.extend(submitted(islice(rest, 1)))
                    yield looked
            finally:
                threads.shutdown(wait=False, cancel_futures=True)

    def look(self, found: Found) -> Looked:
        """Called from threads: changes nothing."""
        opened = self.open(found)
        if opened.result is not None:
            return opened
        with self._turn:
            return with_result(opened, self._workers.measure(opened.data))

    def open(self, found: Found) -> Looked:
        """The file's bytes, not measured yet, or what is known without that. Called from threads: changes nothing."""
        if found.size > MAX_BYTES:
            words = f"it has {found.size:,} bytes; at most {MAX_BYTES:,} are read"
            return Looked(found, b"", "", Reason("too_many_bytes", words))
        try:
            data = found.read()
        except Refused as refused:
            return Looked(found, b"", "", refused.reason)
        except OSError as error:
            return Looked(found, b"", "", Reason("unreadable", f"it cannot be read: {error.strerror or error}"))
        sha256 = sha256_of(data)
        twin = self._known.twin(sha256)
        if twin is not None and not (is_animated(twin) and self._reading.taken):  # its frames would be missing
            return Looked(found, b"", sha256, twin)
        return Looked(found, data, sha256, None)


def with_result(opened: Looked, result: Measured | Reason) -> Looked:
    """A file that was measured; of one that is no picture the bytes are let go."""
    return replace(opened, data=opened.data if isinstance(result, Measured) else b"", result=result)


def measured_apart(opened: Iterable[Looked], workers: Workers, engine: Engine) -> Iterator[Looked]:
    """The files measured by an engine, some at a time, in order."""
    sent: deque[list[Looked]] = deque()

    def parts() -> Iterator[list[bytes]]:
        for part in portions(opened):
            sent.append(part)
            yield [one.data for one in part if one.result is None]

    for results in engine.map(workers, parts()):
        answers = iter(results)
        for one in sent.popleft():
            yield one if one.result is not None else with_result(one, next(answers))


def portions(opened: Iterable[Looked]) -> Iterator[list[Looked]]:
    """Files in portions of at most `SENT` pictures, ended early where they reach `SENT_BYTES`."""
    portion: list[Looked] = []
    num_bytes = 0
    for one in opened:
        portion.append(one)
        num_bytes += len(one.data)
        if len(portion) == SENT or num_bytes >= SENT_BYTES:
            yield portion
            portion, num_bytes = [], 0
    if portion:
        yield portion
