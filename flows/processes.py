"""Several trainer processes for one run, one per GPU: the first starts the others, and they end when it does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def together(folder: Path, count: int) -> Iterator[None]:
    """Within it ``count`` processes train the run of ``folder`` together; this one is the first.

    Call it when everything that they need is in the caches: two processes that encode would do it twice.
    """
    if count == 1:
        yield
        return
    from training.peers import join, leave

    with TemporaryDirectory(prefix="velatura-") as place:
        meeting = Path(place) / "meeting"
        others = [start(folder, rank, count, meeting) for rank in range(1, count)]
        join(0, count, meeting)
        yield
        leave()
        for other in others:
            other.wait()


def start(folder: Path, rank: int, count: int, meeting: Path) -> subprocess.Popen[bytes]:
    """One of the others. It ends when this process does; if it ends before, so does this one, since it would wait."""
    command = [sys.executable, "-m", "flows.trainer", str(folder), str(rank), str(count), str(meeting)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)

    def watch() -> None:
        status = process.wait()
        if status:
            words = f"process {rank + 1} of {count} ended with status {status}; run again and it goes on"
            print(f"TrainingFailed: {words}", file=sys.stderr, flush=True)
            os._exit(2)

    threading.Thread(target=watch, daemon=True).start()
    return process
