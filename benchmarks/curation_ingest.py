"""An ingest of many small pictures: CPU time and memory on the way, and a second one with a hundredth changed."""

import json
import os
import resource
import sys
from itertools import pairwise
from pathlib import Path

from benchmarks.photographs import write_small
from core.progress import shown_by
from curation.filter import Filter
from curation.ingest import Ingested, ingest
from curation.sources.folder import Folder
from store.store import Store

FILTERS = [Filter.of_kind(kind)() for kind in ("aspect", "exposure", "information", "resolution", "sharpness")]


def cpu() -> float:
    """CPU seconds of this process and of those that it waited for; the decoding ones by what the kernel says now."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime + sum(map(seconds_of, children()))


def children() -> list[str]:
    """The processes that this one has started and that still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid():
            found.append(path.parent.name)
    return found


def seconds_of(process: str) -> float:
    """What a running process has used so far."""
    try:
        fields = (Path("/proc") / process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory() -> float:
    """Megabytes that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)


def run(store: Path, folder: Path, tenth: int) -> tuple[Ingested, float, list[tuple[float, float]]]:
    """What an ingest did, its CPU seconds, and ``(CPU seconds, megabytes)`` after each tenth."""
    marks: list[tuple[float, float]] = []

    def show(_: str, done: int, __: int) -> None:
        if done >= len(marks) * tenth:
            marks.append((cpu(), memory()))

    began = cpu()
    with shown_by(show):
        told = ingest(Store.open(store), Folder(path=str(folder)), FILTERS)
    return told, cpu() - began, marks


def main() -> None:
    """Write pictures, ingest, change a hundredth, ingest again."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    write_small(folder / "pictures", range(count))
    Store.open(folder / "store")  # importing LanceDB is no part of it
    _, first, marks = run(folder / "store", folder / "pictures", count // 10)
    write_small(folder / "pictures", range(0, count, 100), change=1)
    again, second, _ = run(folder / "store", folder / "pictures", count // 10)
    costs = [(after - before) * 10_000 / count for (before, _), (after, _) in pairwise(marks)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {
        "first": first,
        "second": second,
        "read": again.read,
        "first_tenth": costs[0],
        "last_tenth": costs[-1],
        "grown_megabytes": marks[-1][1] - marks[2][1],
        "peak_megabytes": peak,
        "tenths": [round(cost, 3) for cost in costs],
        "megabytes": [round(held) for _, held in marks],
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
