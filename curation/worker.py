"""The process that decodes and measures one picture after another; `curation.workers` starts it and may kill it.

It is told its work in a line of JSON, then gets pictures (8 bytes of length, the bytes), and answers each in a line.
"""

import contextlib
import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import cast

import cv2

from core.record import Reason
from curation.decode import Room
from curation.filter import Filter
from curation.measure import measured, to_json
from curation.reading import Reading


def main() -> None:
    """Work until there is nothing more to read."""
    requests = os.fdopen(0, "rb")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a library that prints must not write into the replies
    setup = json.loads(requests.readline())
    filters = [built(*one) for one in setup["filters"]]
    how = Reading.model_validate(setup["reading"])
    limit_memory(setup["memory"])
    room = Room()
    cv2.setNumThreads(1)  # there are as many of these processes as cores
    replies.write("ready\n")
    replies.flush()
    while header := requests.read(8):
        data = requests.read(int.from_bytes(header, "big"))
        signal.setitimer(signal.ITIMER_REAL, 2 * how.seconds + 5)  # its parent may be gone and unable to stop it
        try:
            result = measured(data, filters, how.matte, how.max_pixels, how.frames, room)
        except Exception as error:  # a mistake in a filter costs pictures with a reason, not the run without one
            result = Reason("check_failed", f"a check failed on it: {type(error).__name__}: {error}")
        signal.setitimer(signal.ITIMER_REAL, 0)
        replies.write(to_json(result) + "\n")
        replies.flush()


def built(module: str, name: str, parameters: str) -> Filter:
    """The filter as the parent has it."""
    kind = getattr(importlib.import_module(module), name)
    return cast(Filter, kind.model_validate_json(parameters))


def limit_memory(more: int) -> None:
    """Let the process grow by ``more`` bytes and no further, and leave no core dump."""
    import resource

    used = 0
    if Path("/proc/self/statm").exists():
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (used + more, used + more))


if __name__ == "__main__":
    sys.exit("started by curation.workers")
