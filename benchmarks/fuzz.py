"""Damaged files by the hundred thousand: does one of them end a run, hang it, or write outside of the store?

`python -m benchmarks.fuzz --count 200000 --seed 0` mutates headers and bodies of every format that can be written here,
and of archives, and gives them to the processes that ingest uses. What each became is counted by its reason code.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.mutations import mutated
from benchmarks.specimens import archives, pictures
from core.errors import SourceError
from core.record import Reason
from core.seeding import generator
from curation.filter import Filter
from curation.reading import Frames, Reading
from curation.source import Refused
from curation.sources.archive import Archive
from curation.workers import Workers

FILTERS = tuple(Filter.parse(kind) for kind in ("information", "exposure", "sharpness"))
SECONDS = 30.0
"""what one input may take"""
GRACE = 30.0
"""seconds to end a process and to start another one, on a busy machine"""
ARCHIVES = 0.1
"""share of the inputs"""


@dataclass(slots=True)
class Outcome:
    """What became of the inputs."""

    codes: Counter[str] = field(default_factory=Counter)
    """``picture`` or ``archive`` and what it was refused for, or ``whole``"""
    broken: list[str] = field(default_factory=list)
    """what must not be: exceptions of the run, time over the limit, files outside of the store"""
    slowest: float = 0.0


def campaign(count: int, seed: int, folder: Path) -> Outcome:
    """Give ``count`` inputs to the code that ingest uses. ``folder`` must be new; nothing else may appear in it."""
    outcome = Outcome()
    watched = folder / "watched"
    watched.mkdir(parents=True)
    num_archives = int(count * ARCHIVES)
    with at_home_in(watched):
        fuzz_pictures(count - num_archives, seed, outcome)
        fuzz_archives(num_archives, seed, folder / "archive", outcome)
    written = [str(path.relative_to(watched)) for path in watched.rglob("*")]
    outcome.broken += [f"{name} was written outside of the store" for name in written]
    return outcome


class at_home_in:  # noqa: N801  reads as a sentence
    """Working folder, home and temporary folder in one place, which shows what is written there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.before, self.cwd = folder, dict(os.environ), Path.cwd()

    def __enter__(self) -> None:
        os.environ.update(HOME=str(self.folder), TMPDIR=str(self.folder), PYTHONDONTWRITEBYTECODE="1")
        tempfile.tempdir = None  # it is remembered
        paths = [str(Path(path or ".").resolve()) for path in sys.path]
        sys.path[:] = paths
        os.chdir(self.folder)

    def __exit__(self, *_: object) -> None:
        os.chdir(self.cwd)
        os.environ.clear()
        os.environ.update(self.before)
        tempfile.tempdir = None


def fuzz_pictures(count: int, seed: int, outcome: Outcome) -> None:
    """Through the processes that decode and measure."""
    specimens = pictures()
    reading = Reading(max_pixels=4_000_000, seconds=SECONDS, frames=Frames(every=1, most=4))
    with Workers(FILTERS, reading) as workers:
        for number in range(count):
            rng = generator("fuzz picture", seed, number)
            data = mutated(specimens, rng)
            began = time.monotonic()
            try:
                result = workers.measure(data)
                code = result.code if isinstance(result, Reason) else "whole"
            except Exception as error:
                outcome.broken.append(f"picture {number}: {type(error).__name__}: {error}")
                code = "CRASH"
            note(outcome, f"picture {code}", f"picture {number}", time.monotonic() - began)
            tell(number, count, outcome)


def fuzz_archives(count: int, seed: int, path: Path, outcome: Outcome) -> None:
    """Listed, and each member read, in a process of its own."""
    specimens = archives()
    pool = fresh()
    for number in range(count):
        rng = generator("fuzz archive", seed, number)
        at = path.with_suffix(str(rng.choice((".zip", ".tar", ".tar.gz", ".tar.xz", ".tar.bz2"))))
        at.write_bytes(mutated(specimens, rng))
        began = time.monotonic()
        try:
            codes = pool.submit(read_archive, str(at)).result(SECONDS)
        except (BrokenProcessPool, TimeoutError, Exception) as error:
            outcome.broken.append(f"archive {number}: {type(error).__name__}: {error}")
            codes = ["CRASH"]
            end(pool)
            pool = fresh()
        for code in codes:
            outcome.codes[f"member {code}"] += 1
        note(outcome, "archive", f"archive {number}", time.monotonic() - began)
        tell(number, count, outcome)
        at.unlink()
    end(pool)


def read_archive(path: str) -> list[str]:
    """What became of each member; of the archive itself where it cannot be listed."""
    codes = []
    try:
        for found in Archive(path=path, max_bytes=1 << 20).pictures():
            try:
                found.read()
                codes.append("whole")
            except Refused as refused:
                codes.append(refused.reason.code)
            except OSError:
                codes.append("unreadable")
    except SourceError:
        codes.append("none: the archive cannot be listed")
    return codes


def fresh() -> ProcessPoolExecutor:
    """A process that may be ended."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def end(pool: ProcessPoolExecutor) -> None:
    """End it, whatever it is doing."""
    for process in list((pool._processes or {}).values()):
        os.kill(process.pid, signal.SIGKILL)
    pool.shutdown(wait=True, cancel_futures=True)


def note(outcome: Outcome, code: str, what: str, seconds: float) -> None:
    """Count one input."""
    outcome.codes[code] += 1
    outcome.slowest = max(outcome.slowest, seconds)
    if seconds > SECONDS + GRACE:
        outcome.broken.append(f"{what} took {seconds:.0f} s")


def tell(number: int, count: int, outcome: Outcome) -> None:
    """A line now and then, with what went wrong last."""
    if (number + 1) % 5_000 == 0:
        last = f", the last one: {outcome.broken[-1]}" if outcome.broken else ""
        print(f"{number + 1:,} of {count:,}; {len(outcome.broken)} broken{last}", flush=True)


def lines(outcome: Outcome) -> Iterator[str]:
    """The figures."""
    for code, count in sorted(outcome.codes.items(), key=lambda item: -item[1]):
        yield f"{count:>9,}  {code}"
    yield f"slowest input {outcome.slowest:.1f} s; goal: under {SECONDS + GRACE:.0f} s"
    yield f"{len(outcome.broken)} crashes, hangs and files outside of the store; goal: 0"
    yield from outcome.broken[:20]


def main() -> int:
    """Print what became of all inputs; 1 where a run would have ended, hung or written elsewhere."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    np.seterr(all="ignore")
    with tempfile.TemporaryDirectory(prefix="velatura-fuzz-") as folder:
        outcome = campaign(asked.count, asked.seed, Path(folder))
    print("\n".join(lines(outcome)))
    return int(bool(outcome.broken))


if __name__ == "__main__":
    sys.exit(main())
