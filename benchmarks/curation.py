"""What curation costs, each figure beside its goal: reading, near-duplicates, what is cut out, ingest, embedding.

`python -m benchmarks.curation reading pairs crops ingest embedding` (all of them if none is named); CPU seconds of one
thread.
`--peers PYTHON`: an interpreter with `benchmarks/peers.txt`, to time other tools on the same files in the same run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.goal import Goal

ROOT = Path(__file__).parents[1]
ENV = {**os.environ, **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}, "PYTHONPATH": str(ROOT)}


def measured(part: str, *arguments: object) -> Any:
    """What `benchmarks/PART.py` prints as its last line, in a process of its own, so that memory can be told apart."""
    command = [sys.executable, "-m", f"benchmarks.{part}", *map(str, arguments)]
    return json.loads(subprocess.run(command, env=ENV, stdout=subprocess.PIPE, check=True).stdout.splitlines()[-1])


def reading(folder: Path, peers: str) -> Iterator[Goal]:
    """One decode for everything, beside a bare decode and beside other tools."""
    got = measured("curation_reading", folder)
    bare = got["bare"]
    yield Goal("2-megapixel JPEGs: bare decode (simplejpeg), ms", f"{bare:.2f}")
    yield Goal("  our decode alone, ms", f"{got['decode']:.2f}")
    yield Goal("  reduced copy and perceptual hash of decoded pixels, ms", f"{got['hash']:.2f}")
    ratio = got["all"] / bare
    yield Goal("decode + sha256 + perceptual hash + all checks, ms", f"{got['all']:.2f}")
    yield Goal("  times the bare decode", f"{ratio:.2f}", "at most 2.3", ratio <= 2.3)
    if not peers:
        yield Goal("other tools", "left out: no --peers")
        return
    command = [peers, str(ROOT / "benchmarks" / "peers.py"), str(folder)]
    done = subprocess.run(
        command, check=False, env={**ENV, "PYTHONPATH": ""}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    if done.returncode:
        yield Goal("other tools", f"ended with {done.returncode}")
        return
    for name, value in json.loads(done.stdout.splitlines()[-1]).items():
        yield Goal(f"  {name}, ms", f"{value:.2f}" if isinstance(value, float) else value)


def pairs(count: int) -> Iterator[Goal]:
    """All pairs within 6 bits."""
    limits = {100_000: (1.0, 700), 1_000_000: (20.0, 700)}
    got = measured("curation_pairs", count)
    seconds, megabytes = limits.get(count, (0.0, 0))
    what = f"{count:,} hashes, all pairs within 6 bits ({got['shared']} of {got['pieces']} pieces equal)"
    asked = f"under {seconds:g} s" if seconds else ""
    yield Goal(f"{what}, s", f"{got['seconds']:.2f}", asked, not seconds or got["seconds"] < seconds)
    asked = f"under {megabytes} MB" if megabytes else ""
    yield Goal("  peak memory, MB", f"{got['megabytes']:.0f}", asked, not megabytes or got["megabytes"] < megabytes)
    yield Goal("  recall against brute force on a sample", f"{got['recall']:.4f}", "1.0", got["recall"] == 1.0)


def crops() -> Iterator[Goal]:
    """Twins that are cut closer, which a hash of the whole does not see."""
    got = measured("curation_crops", 500)
    for kind in ("photographs", "drawings"):
        what = f"500 {kind} and a twin of each, up to 10 % cut off each side: found"
        yield Goal(what, f"{got[kind]:.1%}", "at least 95 %", got[kind] >= 0.95)
    yield Goal("  other pairs, for each picture", f"{got['others']:.3f}")
    yield Goal("  CPU ms a picture", f"{got['milliseconds']:.2f}")


def ingest(folder: Path, count: int) -> Iterator[Goal]:
    """Many small pictures: memory, throughput, and what a second run costs."""
    got = measured("curation_ingest", folder, count)
    first, last, second = got["first_tenth"], got["last_tenth"], got["second"] / got["first"]
    yield Goal(f"ingest of {count:,} small pictures, CPU s", f"{got['first']:.0f}")
    yield Goal(
        "  CPU ms a picture, first and last tenth", f"{first:.2f}, {last:.2f}", "within 15 %", last < 1.15 * first
    )
    grown = got["grown_megabytes"]
    yield Goal("  memory grown from the second tenth to the last, MB", f"{grown:.0f}", "under 100", grown < 100)
    yield Goal("  peak memory of the run, MB", f"{got['peak_megabytes']:.0f}")
    yield Goal("a second run with 1 % changed, share of the first", f"{second:.1%}", "under 3 %", second < 0.03)
    yield Goal("  pictures read in it", f"{got['read']:,}", f"{count // 100:,}", got["read"] == count // 100)


def embedding(folder: Path) -> Iterator[Goal]:
    """The stage that embeds, out of a store, beside a bare loop over the same pictures in memory."""
    for name, side in (("pocket", 64), ("pocket", 256), ("pocket", 768), ("ViT-B-32", 512)):
        got = measured("curation_embedding", folder / f"{name}-{side}", side, name)
        ratio, clock = got["stage"] / got["bare"], got["stage_clock"] / got["bare_clock"]
        what = f"vectors of {side}-pixel pictures, {name}, times a bare open_clip loop"
        tiny = side < 256  # where a header costs as much as a tenth of so small a network
        yield Goal(what, f"{ratio:.2f}", "" if tiny else "at most 1.10", tiny or ratio <= 1.1)
        yield Goal("  on the clock, with all processors", f"{clock:.2f}")


def main() -> int:
    """Print the figures; 1 where one falls short of its goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help="reading, pairs, crops, ingest, embedding")
    parser.add_argument("--peers", default="", help="a Python with benchmarks/peers.txt")
    parser.add_argument("--count", type=int, default=100_000, help="pictures to ingest")
    parser.add_argument("--most", type=int, default=10_000_000, help="hashes to search at most")
    asked = parser.parse_args()
    parts = asked.parts or ["reading", "pairs", "crops", "ingest", "embedding"]
    short = 0
    with tempfile.TemporaryDirectory(prefix="velatura-curation-") as temporary:
        folder = Path(temporary)
        for goal in goals(parts, folder, asked):
            print(goal, flush=True)
            short += not goal.met
    return int(short > 0)


def goals(parts: list[str], folder: Path, asked: argparse.Namespace) -> Iterator[Goal]:
    """Every figure, as soon as it is known."""
    if "reading" in parts:
        yield from reading(folder / "large", asked.peers)
    if "pairs" in parts:
        for count in (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000):
            if count <= asked.most:
                yield from pairs(count)
    if "crops" in parts:
        yield from crops()
    if "ingest" in parts:
        yield from ingest(folder / "small", asked.count)
    if "embedding" in parts:
        yield from embedding(folder / "middle")


if __name__ == "__main__":
    sys.exit(main())
