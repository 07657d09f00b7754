"""Does augmentation help? Runs with and without each kind on the pocket base, compared on held-out pictures.

`python -m benchmarks.augment_helps --kinds crop flip --seeds 3 --steps 160`: same pictures, same steps, same seeds; the
probe's learning of each run beside that of the run without augmentation and the same seed. Hours on a CPU for all.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

from benchmarks.demo import ROOT
from flows import stages
from flows.job import Job
from flows.recipe import read_recipe
from flows.spool import read
from scripts.demo import FOLDER

NONE = "none"
ARMS: dict[str, str] = {
    NONE: "augment.transforms=[]",
    "color_skew": "augment.transforms=[color_skew]",
    "black_and_white": "augment.transforms=[black_and_white]",
    "crop": "augment.transforms=[crop]",
    "crop_detail": "augment.transforms=[{kind: crop, where: detail}]",
    "crop_subject": "augment.transforms=[{kind: crop, where: subject}]",
    "flip": "augment.transforms=[flip]",
    "lineart": "augment.generators=[lineart]",
    "img2img": "augment.generators=[img2img]",
    "from_base": "augment.generators=[from_base]",
}
QUIET = ("samples.previews=0", "samples.prior=[]", "metrics=[probe]")
"""draws nothing: the probe alone compares"""


def learning(home: Path, pictures: Path, arm: str, seed: int, steps: int, share: float) -> tuple[float, float]:
    """(learning, gap) of the probe at the last step of one run."""
    own = [] if arm == NONE or "transforms" in ARMS[arm] else ["augment.transforms=[]"]
    changes = [
        *own,
        ARMS[arm],
        f"home={home}",
        f"pictures.path={pictures}",
        f"augment.share={share}",
        f"train.seed={seed}",
        f"train.steps={steps}",
        f"train.probe_every={steps}",
        f"train.checkpoint_every={steps}",
        *QUIET,
    ]
    recipe = read_recipe(ROOT / "recipes" / "openmoji.yaml", changes)
    store = stages.open_store(recipe)
    with store.writer():
        stages.read_pictures(recipe, store)
        stages.choose_pictures(recipe, store)
        stages.write_captions(recipe, store)
        stages.make_pictures(recipe, store)
        snapshot = store.snapshot()
    job = stages.prepare_job(recipe, snapshot)
    if not job.finished:
        trained(job)
    last = {figure.key: figure.value for figure in read(job.spool) if figure.step == steps}
    return last["probe/learning"], last["probe/gap"]


def trained(job: Job) -> None:
    """Train in a process of its own, as a run does, without Prefect and MLflow."""
    job.write()
    command = [sys.executable, "-m", "flows.trainer", str(job.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT) as process:  # it ends when this pipe is closed
        if process.wait() != 0:
            raise SystemExit(f"the trainer of {job.folder} ended with status {process.returncode}")


def told(arm: str, runs: Sequence[tuple[float, float]], plain: Sequence[tuple[float, float]]) -> str:
    """One line: the mean over seeds, and the mean difference from the run without, seed by seed."""
    better = [with_it[0] - without[0] for with_it, without in zip(runs, plain, strict=True)]
    spread = f" ± {stdev(better) / len(better) ** 0.5:.3f}" if len(better) > 1 else ""
    figures = f"learning {mean(run[0] for run in runs):+.3f}, gap {mean(run[1] for run in runs):+.3f}"
    return f"{arm:<16} {figures}, learning against none {mean(better):+.3f}{spread} ({len(better)} seeds)"


def main() -> None:
    """Print a line for each kind as soon as its runs are through."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = [arm for arm in ARMS if arm != NONE]
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=160)
    parser.add_argument("--share", type=float, default=0.5, help="derived pictures' share of the steps, at most")
    parser.add_argument("--folder", type=Path, help="work here; what is done already is not done again")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="velatura-helps-") as temporary:
        folder = (asked.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "scripts.demo", str(folder / FOLDER)], cwd=ROOT, check=True)
        done: dict[str, list[tuple[float, float]]] = {}
        for arm in (NONE, *asked.kinds):
            done[arm] = [
                learning(folder / "home", folder / FOLDER, arm, seed, asked.steps, asked.share)
                for seed in range(asked.seeds)
            ]
            print(told(arm, done[arm], done[NONE]), flush=True)


if __name__ == "__main__":
    main()
