"""What orchestration costs: runs that change nothing, events, comparing a thousand runs, Prefect and MLflow themselves.

`python -m benchmarks.orchestration nothing ten event thousand share` (all of them if none is named) prints every figure
beside its goal. One OpenMP thread; seconds on the clock unless it says CPU.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks import demo
from benchmarks.goal import Goal
from scripts.demo import FOLDER

QUICK = ("train.steps=4", "train.probe_every=4", "samples.steps=2", "samples.memorisation=2", "samples.count=2")
TURNS = 5


def nothing(folder: Path) -> Iterator[Goal]:
    """The demo once more, with nothing changed."""
    subprocess.run([sys.executable, "-m", "scripts.demo", str(FOLDER)], cwd=folder, env=demo._env(), check=True)
    demo.run(folder, "openmoji", *QUICK)
    turns = [demo.run(folder, "openmoji", *QUICK) for _ in range(TURNS)]
    whole, ours = (statistics.median(one) for one in zip(*((s, said["seconds"]) for said, s in turns), strict=True))
    fresh = sum(bool(said["fresh"]) or said["read"] > 0 for said, _ in turns)
    yield Goal("a run that changes nothing, s", f"{whole:.1f}", "under 15", whole < 15)
    yield Goal("  of which ours: store, source, guard", f"{ours:.1f}", "under 3", ours < 3)
    yield Goal("  turns in which something was computed", str(fresh), "0", fresh == 0)


def ten(folder: Path) -> Iterator[Goal]:
    """Ten new pictures among 10,000: of 2 megapixels, as the benchmark of reading has them, and of small ones."""
    from benchmarks.curation import measured

    count = 10_000
    for side, size in ((768, "768 x 768 pixels"), (1448, "2 megapixels")):
        home = folder / f"ten-{side}"
        first, first_cpu, _ = measured("orchestration_data", home, 0, count, side)
        again, again_cpu, read = measured("orchestration_data", home, count, count + 10, side)
        name = f"10,000 pictures of {size}, everything before training, s (CPU s)"
        yield Goal(name, f"{first:.0f} ({first_cpu:.0f})")
        share = again / first
        yield Goal("  ten more, s (CPU s)", f"{again:.1f} ({again_cpu:.1f})")
        yield Goal("  share of the first time", f"{share:.1%}", "under 5 %" if side > 1000 else "", share < 0.05)
        yield Goal("  pictures read", str(read), "10", read == 10)
        shutil.rmtree(home)


def event(folder: Path) -> Iterator[Goal]:
    """From an announced change to a flow that runs, on real servers with a worker."""
    from benchmarks.studio import DECIDE, opened, until

    waits = []
    with opened(folder / "event") as studio:
        recipe = studio.recipe("demo", 20)
        for turn in range(4):
            runs = len(studio.runs(DECIDE))
            studio.add(1 if turn else 4)
            before = heard(studio)
            studio.look(recipe)
            until("the event", lambda before=before: heard(studio) != before, 60)  # it is put down a little later
            sent = datetime.fromisoformat(heard(studio))

            def running(runs: int = runs) -> str | None:
                new = [run for run in studio.runs(DECIDE)[runs:] if run["start_time"]]
                return str(new[0]["start_time"]) if new else None

            waits.append((datetime.fromisoformat(until("a run", running, 120)) - sent).total_seconds())
            studio.at_rest(runs, 600)
    told = ", ".join(f"{seconds:.1f}" for seconds in waits)
    yield Goal("event to running flow, s, of which 2 are to gather events", told, "under 15", max(waits) < 15)


def heard(studio: Any) -> str:
    """When the newest change was announced; empty where there was none."""
    body = {"filter": {"event": {"name": ["velatura.dataset.changed"]}, "order": "DESC"}, "limit": 1}
    return next((str(event["occurred"]) for event in studio.ask("/events/filter", body)["events"]), "")


def thousand(folder: Path) -> Iterator[Goal]:
    """A thousand runs of forty parameters in the tracking store."""
    from benchmarks.curation import measured

    compare, guard, command = measured("orchestration_runs", folder / "thousand", 1000)
    yield Goal("1,000 runs: rows of `velatura compare`, s", f"{compare:.2f}", "under 2", compare < 2)
    yield Goal("  the guard's decision, s", f"{guard:.2f}", "under 2", guard < 2)
    yield Goal("  the whole command `velatura compare`, imports among it, s", f"{command:.1f}")


def share(folder: Path, minutes: float = 5) -> Iterator[Goal]:
    """A training of five minutes, in the flow and bare."""
    from benchmarks.curation import measured

    bare, flow, trainer, extra, around = measured("orchestration_share", folder / "share", minutes)
    yield Goal("a training in a bare process, s", f"{bare:.0f}")
    yield Goal("  the same in the flow, s", f"{flow:.0f}")
    yield Goal("  its own CPU seconds there", f"{trainer:.0f}")
    part = extra / trainer
    yield Goal(
        "  CPU seconds of Prefect, MLflow and ours beside it", f"{extra:.1f} = {part:.1%}", "under 2 %", part < 0.02
    )
    late = around / bare
    yield Goal("  seconds before its start and after its end", f"{around:.1f} = {late:.1%}", "under 2 %", late < 0.02)


PARTS: dict[str, Callable[[Path], Iterator[Goal]]] = {
    "nothing": nothing,
    "ten": ten,
    "event": event,
    "thousand": thousand,
    "share": share,
}


def main() -> int:
    """Print the figures; 1 where one falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all, about half an hour")
    parser.add_argument("--minutes", type=float, default=5, help="how long the training of `share` takes")
    asked = parser.parse_args()
    short = 0
    with tempfile.TemporaryDirectory(prefix="velatura-orchestration-") as temporary:
        for part in asked.parts or PARTS:
            folder = Path(temporary) / part
            folder.mkdir()
            began = time.monotonic()
            for found in share(folder, asked.minutes) if part == "share" else PARTS[part](folder):
                print(found, flush=True)
                short += not found.met
            print(f"      ({part}: {time.monotonic() - began:.0f} s)", flush=True)
    return int(short > 0)


if __name__ == "__main__":
    sys.exit(main())
