"""Training killed at random moments, asked to stop, and out of room: does the next one end with the same bits?

`python -m benchmarks.training_kills --kills 40` trains a small random model of SD 1.5's layout: undisturbed, killed
with -9, asked to stop with SIGTERM, and on a disk that fills up. Each is started again until it ends; weights are
compared byte for byte. Children are forked, so that a campaign of minutes is not spent on imports.
"""

import argparse
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from backbones.family import family_of
from benchmarks.goal import Goal
from core.errors import DiskFull
from core.seeding import generator
from tests.backbones.tiny import make_sd15
from tests.training import runs
from training.loop import train

STEPS = 24
SPEC: dict[str, object] = {
    "steps": STEPS,
    "batch_size": 2,
    "log_every": 4,
    "checkpoint_every": 3,
    "probe_every": 12,
    "ema": 0.9,
    "adapter": {"kind": "lora", "rank": 2, "dropout": 0.1, "rank_dropout": 0.1},
    "optimizer": {"kind": "adamw", "learning_rate": 1e-3},
    "schedule": {"kind": "cosine", "warmup": 2},
}
"""a checkpoint, with an average and all kinds of chance in it, every few steps"""
FULL, KILLED = 28, -signal.SIGKILL


def weights(folder: Path) -> dict[str, bytes]:
    """All exported files of a run, byte for byte."""
    files = sorted((folder / "weights").rglob("*.safetensors"))
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def child(base: Path, folder: Path) -> None:
    """One training process: from the newest checkpoint on. 0: it reached the end; 1: it stopped; 28: no room."""
    os.setsid()
    torch.set_num_threads(1)
    backbone = family_of(str(base)).load()
    try:
        done = train(
            runs.spec(**SPEC),
            backbone,
            runs.examples(),
            runs.conditionings(backbone),
            folder,
            on_log=runs.quietly,
            on_pause=runs.quietly,
        )
    except DiskFull:
        os._exit(FULL)
    os._exit(0 if done.finished else 1)


def started(base: Path, folder: Path) -> multiprocessing.Process:
    """A child that runs."""
    process = multiprocessing.get_context("fork").Process(target=child, args=(base, folder))
    process.start()
    return process


def disturbed(base: Path, folder: Path, seconds: float, number: int, seed: int, how: signal.Signals) -> int:
    """A run with a signal at random moments until ``number`` have come or it is through; how many came in time."""
    rng, came = generator("training kills", seed, int(how)), 0
    while came < number:
        process = started(base, folder)
        process.join(float(rng.uniform(0.02, 1.0)) * seconds)
        if process.exitcode is None:
            assert process.pid is not None
            os.kill(process.pid, how)
            came += 1
        process.join()
        if process.exitcode == 0:
            return came
        assert process.exitcode in (1, -how), f"a child ended with {process.exitcode}"
    end(base, folder)
    return came


def end(base: Path, folder: Path) -> None:
    """Let a run come to its end."""
    process = started(base, folder)
    process.join()
    assert process.exitcode == 0, f"a child ended with {process.exitcode}"


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A file system of ``size`` bytes in memory; needs root."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def out_of_room(base: Path, place: Path, seed: int, needed: int) -> tuple[bool, dict[str, bytes]]:
    """A run on a disk with room for a random part of it; whether it ran out, and what it ends with given more."""
    size = int(generator("small disk", seed).uniform(0.05, 0.95) * needed)
    kept = place / "kept"
    with small_disk(place / "disk", size) as disk:
        process = started(base, disk / "run")
        process.join()
        full = process.exitcode == FULL
        shutil.copytree(disk / "run", kept, ignore=shutil.ignore_patterns("*.partial"))
    end(base, kept)
    return full, weights(kept)


def campaign(
    what: str, asked: int, one: Callable[[int, Path], tuple[int, bool]], place: Path, say: Callable[[str], None]
) -> Goal:
    """Runs until as many disturbances came as are asked for; ``one`` gives how many came, and whether the end is it."""
    came = runs = wrong = 0
    while came < asked:
        folder = place / f"{what.split()[0]}-{runs}"
        folder.mkdir()
        more, same = one(runs, folder)
        came, runs, wrong = came + more, runs + 1, wrong + (not same)
        say(f"  {what}: {came} of {asked}, {wrong} other ends")
        shutil.rmtree(folder)
        assert runs < 20 * asked + 20, f"{what}: nothing comes in time"
    return Goal(f"{what}: {came} in {runs} runs", f"{runs - wrong} of {runs} the same", "all the same bits", not wrong)


def main() -> int:
    """Print every campaign's figures beside the goal; 1 where a run ended otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--stops", type=int, default=40)
    parser.add_argument("--full", type=int, default=10)
    parser.add_argument("--at-once", type=int, default=2, help="signals on the way to one end")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()

    def say(words: str) -> None:
        print(words, file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="velatura-kills-") as name:
        place = Path(name)
        base = make_sd15(place / "base", layers=1)
        torch.set_num_threads(1)
        # what is imported late is imported here: the children find it, whatever becomes of the files meanwhile
        spec = runs.spec(**SPEC)
        train(
            spec.model_copy(update={"steps": 1}),
            backbone := family_of(str(base)).load(),
            runs.examples(),
            runs.conditionings(backbone),
            place / "first",
            on_log=runs.quietly,
            on_pause=runs.quietly,
        )
        began = time.monotonic()
        end(base, place / "undisturbed")
        seconds, truth = time.monotonic() - began, weights(place / "undisturbed")
        needed = sum(file.stat().st_size for file in (place / "undisturbed").rglob("*") if file.is_file())
        say(f"undisturbed: {seconds:.1f} s, {len(truth)} files of weights")

        def alike(found: dict[str, bytes]) -> bool:
            others = [name for name in truth if found.get(name) != truth[name]]
            for name in others:
                say(f"  {name} is another: {len(found.get(name, b''))} bytes, {len(truth[name])} undisturbed")
            return not others and found.keys() == truth.keys()

        def signalled(how: signal.Signals) -> Callable[[int, Path], tuple[int, bool]]:
            def one(number: int, folder: Path) -> tuple[int, bool]:
                came = disturbed(base, folder / "run", seconds, asked.at_once, asked.seed + number, how)
                return came, alike(weights(folder / "run"))

            return one

        def filled(number: int, folder: Path) -> tuple[int, bool]:
            full, found = out_of_room(base, folder, asked.seed + number, needed)
            return int(full), alike(found)

        goals = [
            campaign("killed with -9", asked.kills, signalled(signal.SIGKILL), place, say),
            campaign("stopped with SIGTERM", asked.stops, signalled(signal.SIGTERM), place, say),
        ]
        if os.geteuid() == 0:
            goals.append(campaign("out of room", asked.full, filled, place, say))
        else:
            say("out of room: not run, a small file system can be mounted only by root")
    print("\n".join(map(str, goals)))
    return int(not all(goal.met for goal in goals))


if __name__ == "__main__":
    sys.exit(main())
