"""Files read ahead in threads: hashed and, where their content is new, measured in processes that may die."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from os import cpu_count
from threading import BoundedSemaphore

from core.hashing import sha256_of
from core.record import Reason, Record
from curation.known import Known
from curation.measure import Measured
from curation.reading import Reading
from curation.records import is_animated
from curation.source import Found, Refused
from curation.workers import Workers

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
    result: Measured | Record | Reason
    """a record where another picture's content is the same"""


class Looker:
    """Looks at files, several at a time. ``waits``: how many of them at least, because they wait for a network."""

    def __init__(self, known: Known, workers: Workers, reading: Reading, waits: int) -> None:
        self._known, self._workers, self._reading, self._waits = known, workers, reading, waits
        self._turn = BoundedSemaphore(cpu_count() or 1)  # many may wait for a network, but each decodes in a process

    def looks(self, files: list[Found]) -> Iterator[Looked]:
        """Read, hash and, where the content is new, measure; in order."""
        num_bytes = sum(found.size for found in files)
        worth = 1 + max(len(files) // FILES_PER_WORKER, num_bytes // BYTES_PER_WORKER)
        num_threads = max(self._waits, min(cpu_count() or 1, worth))
        with ThreadPoolExecutor(num_threads) as threads:
            rest = iter(files)

            def submitted(some: Iterable[Found]) -> Iterator[Future[Looked]]:
                return (threads.submit(self.look, found) for found in some)

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
        with self._turn:
            result = self._workers.measure(data)
        return Looked(found, data if isinstance(result, Measured) else b"", sha256, result)
