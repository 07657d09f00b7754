"""kill -9 at random moments of a whole run: does the next one end with the same manifest and the same weights?

`python -m benchmarks.kills --kills 30 --seed 0` runs once undisturbed, then kills and goes on until it is through.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from core.hashing import sha256_of_file
from core.seeding import generator


@dataclass(frozen=True, slots=True)
class End:
    """What a run ended with."""

    manifest: str
    weights: str
    """SHA-256 of the weights file"""
    kills: int
    """how many runs were killed on the way"""


def undisturbed(recipe: Path, home: Path) -> tuple[End, float]:
    """A run that nobody kills, and how many seconds it took."""
    began = time.monotonic()
    return _to_its_end(recipe, home, 0), time.monotonic() - began


def disturbed(recipe: Path, home: Path, seconds: float, kills: int, seed: int) -> End:
    """The same run, killed ``kills`` times at moments within ``seconds`` of its start, then left to end."""
    moments = generator("kills", seed).uniform(0.1 * seconds, seconds, kills)
    done = 0
    for moment in moments:
        with _start(recipe, home) as process:
            try:
                process.communicate(timeout=float(moment))
                break  # it was through before its time
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                done += 1
    return _to_its_end(recipe, home, done)


def _to_its_end(recipe: Path, home: Path, kills: int) -> End:
    with _start(recipe, home) as process:
        output, errors = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"a run after {kills} kills ended with status {process.returncode}:\n{errors}")
    said = json.loads(output[output.index("{") :])
    return End(said["dataset"]["manifest"], sha256_of_file(Path(said["files"]["weights"])), kills)


def _start(recipe: Path, home: Path) -> subprocess.Popen[str]:
    """The command that a user types, in a group of its own, so that one signal ends all that it started."""
    command = [sys.executable, "-m", "flows.command_line", "run", str(recipe), "--json"]
    env = {**os.environ, "VELATURA_DATA": str(home), "PYTHONPATH": str(Path(__file__).parents[1])}
    for name in ("PREFECT_HOME", "PREFECT_API_URL"):
        env.pop(name, None)
    return subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def main() -> int:
    """Print every campaign's figures beside the goal; 1 where a run ended otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/openmoji.yaml"))
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--at-once", type=int, default=3, help="kills on the way to one end")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="velatura-kills-") as folder:
        truth, seconds = undisturbed(asked.recipe, Path(folder) / "undisturbed")
        print(f"undisturbed: {seconds:.0f} s, manifest {truth.manifest[:12]}, weights {truth.weights[:12]}", flush=True)
        done, wrong = 0, 0
        while done < asked.kills:
            home = Path(folder) / f"disturbed-{done}"
            end = disturbed(asked.recipe, home, seconds, asked.at_once, asked.seed + done)
            same = (end.manifest, end.weights) == (truth.manifest, truth.weights)
            wrong += not same
            done += max(end.kills, 1)
            print(f"{end.kills} kills: {'the same end' if same else f'ANOTHER END: {end}'}", flush=True)
    print(f"{done} kills, {wrong} other ends; goal: 0")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
