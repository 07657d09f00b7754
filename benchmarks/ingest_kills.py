"""kill -9 at random moments of an ingest, and four that ingest at once: is the store whole, and the end the same?

`python -m benchmarks.ingest_kills --kills 30 --seed 0` ingests undisturbed first, then kills and looks each time.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks.photographs import write_small
from core.hashing import digest_of_lines, sha256_of
from core.seeding import generator
from store.store import Store

ROOT = Path(__file__).parents[1]
CHILD = """
import sys
from curation import ingest as module
from curation.curate import curate, ingest
from curation.filter import Filter
from curation.reading import Frames, Reading
from curation.sources.folder import Folder
from curation.splits import Split
from store.store import Store

module.BATCH, module.SHARD = 24, 64  # many commits in a short time
filters = [Filter.of_kind(kind)() for kind in ("resolution", "information", "sharpness", "near_duplicate")]
reading = Reading(frames=Frames(every=2))
store = Store.open(sys.argv[1])
print("begins", flush=True)
if sys.argv[3] == "ingest":
    ingest(store, Folder(path=sys.argv[2]), filters, reading=reading)
else:
    with store.writer():  # as a run does
        ingest(store, Folder(path=sys.argv[2]), filters, reading=reading)
        curate(store, filters, Split())
    print(store.snapshot().manifest)
"""


@dataclass(frozen=True, slots=True)
class End:
    """What an ingest ended with."""

    manifest: str
    rows: str
    """digest of all records and user captions"""
    images: int


def make_pictures(folder: Path, count: int) -> None:
    """Small pictures, some twice, some with captions, some broken, some that move."""
    from benchmarks.specimens import drawing

    write_small(folder, range(count), side=64)
    files = sorted(folder.rglob("*.jpg"))
    for at, path in enumerate(files):
        if at % 5 == 0:
            path.with_suffix(".txt").write_text(f"picture {at}")
        if at % 17 == 0:
            shutil.copy(path, path.with_name(f"copy-{path.name}"))
        if at % 23 == 0:
            path.with_name(f"cut-{path.name}").write_bytes(path.read_bytes()[:300])
    for at in range(3):
        drawings = [drawing(10 * at + frame) for frame in range(6)]
        drawings[0].save(folder / f"moves-{at}.gif", save_all=True, append_images=drawings[1:])


def start(store: Path, pictures: Path, what: str = "all") -> subprocess.Popen[str]:
    """Ingest and curate in a group of its own, so that one signal ends the decoding processes too."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(store), str(pictures), what],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def to_its_end(store: Path, pictures: Path) -> tuple[End, float]:
    """An ingest that nobody kills, and its seconds from when it began to read."""
    with start(store, pictures) as process:
        assert process.stdout is not None
        process.stdout.readline()
        began = time.monotonic()
        manifest = process.stdout.read().strip()
    if process.returncode:
        raise RuntimeError(f"an ingest ended with status {process.returncode}")
    return end_of(store, manifest), time.monotonic() - began


def end_of(uri: Path, manifest: str) -> End:
    """What the store holds now."""
    store = Store.open(uri)
    said = sorted(f"{key}|{caption.user}" for key, caption in store.captions().items())
    rows = digest_of_lines([*(repr(record) for record in store.records()), *said])
    return End(manifest, rows, store.size()["images"])


def kill(store: Path, pictures: Path, moment: float) -> bool:
    """An ingest, killed ``moment`` seconds after it began; False where it was through before."""
    with start(store, pictures) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return True
    return False


def faults(uri: Path) -> list[str]:
    """What is wrong with a store, whatever moment it is of."""
    store = Store.open(uri)
    records = store.records()
    found = [f"record {id_} stands twice" for id_, count in Counter(r.id for r in records).items() if count > 1]
    keys = store.columns("images", "sha256")["sha256"].to_pylist()
    found += [f"picture {key} stands twice" for key, count in Counter(keys).items() if count > 1]
    for record in records:
        if record.width and sha256_of(store.image(record.sha256)) != record.sha256:
            found.append(f"{record.name} has another picture's bytes")
    return found


def disturbed(folder: Path, pictures: Path, truth: End, seconds: float, moments: list[float]) -> list[str]:
    """Kills on the way to one end; what was wrong at any of them or at the end."""
    wrong: list[str] = []
    for moment in moments:
        if not kill(folder, pictures, moment * seconds):
            break
        wrong += faults(folder)
    end, _ = to_its_end(folder, pictures)
    wrong += faults(folder)
    return wrong if end == truth else [*wrong, f"another end: {end} instead of {truth}"]


def at_once(folder: Path, pictures: Path, truth: End, count: int = 4) -> list[str]:
    """The same pictures by some processes at the same time, without a run's lock; what was wrong after it."""
    processes = [start(folder, pictures, "ingest") for _ in range(count)]
    failed = [process.returncode for process in processes if process.communicate() and process.returncode]
    wrong = [f"one of {count} ended with status {status}" for status in failed] + faults(folder)
    end, _ = to_its_end(folder, pictures)
    return wrong if end == truth else [*wrong, f"another end: {end} instead of {truth}"]


def main() -> int:
    """Print what was seen beside the goal; 1 where a store was not whole or ended otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--each", type=int, default=3, help="kills on the way to one end")
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="velatura-ingest-kills-") as temporary:
        folder = Path(temporary)
        pictures = folder / "pictures"
        make_pictures(pictures, asked.pictures)
        truth, seconds = to_its_end(folder / "undisturbed", pictures)
        print(f"undisturbed: {seconds:.0f} s, {truth.images} pictures, manifest {truth.manifest[:12]}", flush=True)
        moments = generator("ingest kills", asked.seed).uniform(0, 1, asked.kills).tolist()
        for at in range(0, asked.kills, asked.each):
            some = moments[at : at + asked.each]
            wrong += disturbed(folder / f"killed-{at}", pictures, truth, seconds, some)
            print(f"{at + len(some)} kills: {len(wrong)} faults", flush=True)
        wrong += at_once(folder / "at-once", pictures, truth)
        print(f"four at once: {len(wrong)} faults", flush=True)
    print("\n".join([*wrong[:20], f"{asked.kills} kills, {len(wrong)} faults; goal: 0"]))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
