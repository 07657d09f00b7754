"""The same recipe here, on Ray, and on two Ray nodes of which one is killed with -9 in each stage: the same manifest?

`python -m benchmarks.ray_cluster --pictures 2000` also says what Ray costs on one machine, in CPU time and seconds.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.goal import Goal
from benchmarks.photographs import write_small

ROOT = Path(__file__).parents[1]
STAGES = ("reading pictures", "embedding pictures", "augmenting")
CHILD = """
import json, sys, time
from core.progress import shown_by
from flows import stages
from flows.recipe import read_recipe
from pathlib import Path

recipe = read_recipe(Path(sys.argv[1]))
store, seconds, began = stages.open_store(recipe), {}, time.monotonic()
def timed(name, stage, *more):
    began = time.monotonic()
    stage(recipe, store, *more)
    seconds[name] = time.monotonic() - began
with shown_by(lambda *told: print(json.dumps(told), flush=True)), store.writer(), recipe.engine.started() as engine:
    seconds["starting"] = time.monotonic() - began
    own = time.process_time()
    timed("reading", stages.read_pictures, engine)
    own = time.process_time() - own
    timed("embedding", stages.embed_pictures, engine)
    timed("judging", stages.choose_pictures)
    timed("captioning", stages.write_captions, engine)
    timed("augmenting", stages.make_pictures, engine)
made = store.snapshot()
print(json.dumps({"manifest": made.manifest, "kept": made.count, "seconds": seconds, "own": own}))
"""


@dataclass(slots=True)
class End:
    """What a run ended with."""

    manifest: str
    kept: int
    seconds: dict[str, float]
    """by stage"""
    own: float
    """CPU seconds of the process that started it, while pictures were read"""
    cpu: float
    """CPU seconds of all of its processes"""
    killed: list[str] = field(default_factory=list)
    """the stages in which a node was killed"""


def recipe(folder: Path, name: str, pictures: Path, engine: dict[str, Any]) -> Path:
    """Everything that an engine does, with what costs little of each."""
    value = {
        "name": "ray",
        "home": str(folder / name),
        "pictures": {"kind": "folder", "path": str(pictures)},
        "filters": ["resolution", "information", "exposure", "near_duplicate", "outlier"],
        "captioner": {"kind": "template", "trigger": "sks", "class_word": "cloud"},
        "augment": {"transforms": ["flip"]},
        "engine": engine,
    }
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(value))
    return path


def run(path: Path, nodes: "Nodes | None" = None) -> End:
    """A recipe to its end; where there are ``nodes``, one is killed half way through each stage."""
    mark = uuid.uuid4().hex
    env = {**os.environ, "PYTHONPATH": str(ROOT), "VELATURA_BENCH": mark, "OMP_NUM_THREADS": "1"}
    killed: list[str] = []
    with (
        watched(mark) as used,
        subprocess.Popen([sys.executable, "-c", CHILD, str(path)], env=env, stdout=subprocess.PIPE, text=True) as child,
    ):
        assert child.stdout is not None
        told: Any = None
        for line in child.stdout:
            if not line.startswith(("[", "{")):
                continue
            told = json.loads(line)
            if nodes and isinstance(told, list) and told[0] in STAGES and told[0] not in killed and nodes.is_time(told):
                killed.append(told[0])
                nodes.kill_one()
    if child.returncode:
        raise RuntimeError(f"{path.name} ended with status {child.returncode}")
    return End(told["manifest"], told["kept"], told["seconds"], told["own"], sum(used.values()), killed)


class Nodes:
    """Two nodes on this machine, as processes of their own; the second can be killed and is then started anew."""

    def __init__(self, pictures: int) -> None:
        from ray.cluster_utils import Cluster

        self._half = pictures // 2
        self._cluster = Cluster(True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        self._second = self._cluster.add_node(num_cpus=1)
        self.address = str(self._cluster.address)

    def is_time(self, told: list[Any]) -> bool:
        """Whether about half of a stage is done."""
        return int(told[1]) >= self._half

    def kill_one(self) -> None:
        """End the second node with -9, its processes with it; then another node comes."""
        for process in self._second.all_processes["raylet"]:
            os.kill(process.process.pid, signal.SIGKILL)
        self._second = self._cluster.add_node(num_cpus=1)

    def stop(self) -> None:
        """End both."""
        self._cluster.shutdown()


@contextmanager
def watched(mark: str) -> Iterator[dict[int, float]]:
    """CPU seconds by process of all that bear ``mark`` in their environment, looked at twice a second."""
    used: dict[int, float] = {}
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.5):
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    if mark.encode() in (folder / "environ").read_bytes():
                        fields = (folder / "stat").read_text().rpartition(")")[2].split()
                        used[int(folder.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
                except OSError:
                    continue

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield used
    finally:
        stop.set()
        thread.join()


def words(end: End) -> str:
    """Seconds by stage."""
    return ", ".join(f"{name} {seconds:.1f}" for name, seconds in end.seconds.items())


def main() -> int:
    """Print every figure beside its goal; 1 where a manifest is another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=2000)
    asked = parser.parse_args()
    goals: list[Goal] = []
    with tempfile.TemporaryDirectory(prefix="velatura-ray-") as temporary:
        folder, pictures = Path(temporary), Path(temporary) / "pictures"
        write_small(pictures, range(asked.pictures))
        began = time.monotonic()
        here = run(recipe(folder, "local", pictures, {"kind": "local"}))
        print(f"local: {here.kept} kept, {here.cpu:.1f} CPU s; seconds: {words(here)}", flush=True)
        alone = run(recipe(folder, "ray", pictures, {"kind": "ray", "workers": os.cpu_count()}))
        print(f"ray on this machine: {alone.cpu:.1f} CPU s; seconds: {words(alone)}", flush=True)
        nodes = Nodes(asked.pictures)
        try:
            two = run(recipe(folder, "two", pictures, {"kind": "ray", "address": nodes.address}), nodes)
        finally:
            nodes.stop()
        print(f"two nodes, one killed in: {', '.join(two.killed)}; seconds: {words(two)}", flush=True)
        for what, end in (
            ("Ray on this machine: the manifest", alone),
            ("two nodes, one killed with -9 in each stage: the manifest", two),
        ):
            goals.append(Goal(what, end.manifest[:12], here.manifest[:12], end.manifest == here.manifest))
        more = 1000 * (alone.cpu - here.cpu) / asked.pictures
        goals += [
            Goal("stages in which a node was killed", str(len(two.killed)), str(len(STAGES)), len(two.killed) == 3),
            Goal("CPU ms a picture, local and Ray", f"{per(here, asked)}, {per(alone, asked)}"),
            Goal("of that Ray's own, starting included, CPU ms a picture", f"{more:.1f}"),
            Goal(
                "reading: of that in the one process that writes, local and Ray",
                f"{1000 * here.own / asked.pictures:.2f}, {1000 * alone.own / asked.pictures:.2f}",
            ),
            Goal("seconds in all", f"{time.monotonic() - began:.0f}"),
        ]
    print("\n".join(map(str, goals)))
    return int(any(not goal.met for goal in goals))


def per(end: End, asked: argparse.Namespace) -> str:
    """CPU milliseconds a picture."""
    return f"{1000 * end.cpu / asked.pictures:.1f}"


if __name__ == "__main__":
    sys.exit(main())
