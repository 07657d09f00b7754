"""Does augmentation help? Runs with and without each kind on the pocket base, compared on held-out pictures.

`python -m benchmarks.augment_helps --folder build/helps`: same pictures, same steps, same seeds; the probe's learning
of each run beside that of the run without augmentation and the same seed, early and late. What is done stands in
``runs.jsonl`` of the folder and is not done again. ``--told`` prints the table of what is done and does nothing.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from scipy import stats

from benchmarks.demo import ROOT
from flows import stages, trainer
from flows.recipe import Recipe, read_recipe
from flows.spool import read
from scripts.demo import FOLDER

NONE, LINES = "none", "lineart_to_image"
CONTROL = ROOT / "build" / "pocket" / "control"
"""what `python -m scripts.pocket control` makes"""
ARMS: dict[str, tuple[str, ...]] = {
    NONE: ("augment.transforms=[]",),
    "color_skew": ("augment.transforms=[color_skew]",),
    "black_and_white": ("augment.transforms=[black_and_white]",),
    "crop": ("augment.transforms=[crop]",),
    "crop_detail": ("augment.transforms=[{kind: crop, where: detail}]",),
    "crop_subject": ("augment.transforms=[{kind: crop, where: subject}]",),
    "flip": ("augment.transforms=[flip]",),
    "lineart": ("augment.transforms=[]", "augment.generators=[lineart]"),
    "img2img": ("augment.transforms=[]", "augment.generators=[img2img]"),
    "from_base": ("augment.transforms=[]", "augment.generators=[from_base]"),
    LINES: (
        "augment.transforms=[]",
        f"augment.generators=[{{kind: lineart_to_image, controlnet: {CONTROL}, lines: {{detector: canny}}}}]",
    ),
}
"""by name: what differs from the demo's recipe"""
QUIET = ("samples.previews=0", "samples.prior=[]", "metrics=[probe]")
"""draws nothing: the probe alone compares"""


@dataclass(frozen=True, slots=True)
class Setting:
    """What all runs have in common."""

    steps: int
    looks: int
    """how often the probe looks on the way, the last step included"""
    share: float
    held_out: float
    rate: float


@dataclass(frozen=True, slots=True)
class Run:
    """One run and what the probe said: step -> (learning, gap)."""

    arm: str
    seed: int
    setting: Setting
    derived: int
    """pictures made, beside the real ones"""
    figures: Mapping[int, tuple[float, float]]


class Notebook:
    """The runs that are done, a line of JSON each; a line that was cut off is done again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def runs(self) -> Iterator[Run]:
        """All that are whole."""
        for line in self.path.read_text().splitlines() if self.path.exists() else []:
            try:
                found = json.loads(line)
            except ValueError:
                continue
            figures = {int(step): (learning, gap) for step, (learning, gap) in found["figures"].items()}
            yield Run(found["arm"], found["seed"], Setting(**found["setting"]), found["derived"], figures)

    def find(self, arm: str, seed: int, setting: Setting) -> Run | None:
        """The run, if it is done."""
        return next((r for r in self.runs() if (r.arm, r.seed, r.setting) == (arm, seed, setting)), None)

    def add(self, run: Run) -> Run:
        """Put it down."""
        cut_off = self.path.exists() and self.path.read_bytes()[-1:] not in (b"", b"\n")
        with self.path.open("a") as file:
            file.write("\n" * cut_off + json.dumps(asdict(run)) + "\n")
        return run


def recipe_of(folder: Path, arm: str, seed: int, setting: Setting) -> Recipe:
    """The demo's recipe, changed."""
    every = setting.steps // setting.looks
    changes = [
        *ARMS[arm],
        f"home={folder / 'home' / arm}",
        f"pictures.path={folder / FOLDER}",
        f"split.held_out={setting.held_out}",
        f"augment.share={setting.share}",
        f"augment.seed={seed}",
        f"train.seed={seed}",
        f"train.optimizer.learning_rate={setting.rate}",
        f"train.steps={setting.steps}",
        f"train.probe_every={every}",
        f"train.checkpoint_every={setting.steps}",
        *QUIET,
    ]
    return read_recipe(ROOT / "recipes" / "openmoji.yaml", changes)


def done(folder: Path, arm: str, seed: int, setting: Setting) -> Run:
    """Make the pictures, train, and read what the probe said."""
    recipe = recipe_of(folder, arm, seed, setting)
    store = stages.open_store(recipe)
    with store.writer():
        stages.read_pictures(recipe, store)
        stages.choose_pictures(recipe, store)
        stages.write_captions(recipe, store)
        augmented = stages.make_pictures(recipe, store)
        snapshot = store.snapshot()
    job = stages.prepare_job(recipe, snapshot)
    if not job.finished:
        job.write()
        trainer.work(job.folder)  # in this process: what is imported and loaded once serves all runs
    said = {(figure.step, figure.key): figure.value for figure in read(job.spool)}
    steps = sorted(step for step, key in said if key == "probe/learning" and step > 0)
    figures = {step: (said[step, "probe/learning"], said[step, "probe/gap"]) for step in steps}
    return Run(arm, seed, setting, augmented.made + augmented.unchanged, figures)


def told(notebook: Notebook, setting: Setting) -> list[str]:
    """For each kind and each look: the means over seeds, and the mean difference from the runs without, seed by seed.

    The interval is Student's, 95 %, over seeds: what other training noise and other draws would give on these pictures.
    """
    runs = {(run.arm, run.seed): run for run in notebook.runs() if run.setting == setting}
    lines = []
    for arm in dict.fromkeys(arm for arm, _ in runs):
        pairs = [
            (run, runs[NONE, seed]) for (one, seed), run in sorted(runs.items()) if one == arm and (NONE, seed) in runs
        ]
        for step in pairs[0][0].figures if pairs else ():
            mine, other = ([side.figures[step] for side in sides] for sides in zip(*pairs, strict=True))
            learning, gap = (mean([figure[at] for figure in mine]) for at in (0, 1))
            better = interval([a[0] - b[0] for a, b in zip(mine, other, strict=True)])
            closer = interval([a[1] - b[1] for a, b in zip(mine, other, strict=True)])
            words = f"learning {learning:+.3f} ({better}), gap {gap:+.3f} ({closer})"
            if arm == NONE:
                words = f"learning {learning:+.3f}, gap {gap:+.3f}"
            lines.append(f"{arm:<16} step {step:>4}: {words}, {len(pairs)} seeds, {pairs[0][0].derived} derived")
    return lines


def mean(values: list[float]) -> float:
    """Of one or more."""
    return sum(values) / len(values)


def interval(values: list[float]) -> str:
    """Mean and 95 % interval, in words."""
    if len(values) < 2:
        return f"{mean(values):+.3f}"
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return f"{mean(values):+.3f} ± {half:.3f}"


def main() -> None:
    """Do the runs seed by seed, so that whatever is done at any time can be compared; print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = [arm for arm in ARMS if arm != NONE]
    parser.add_argument(
        "--kinds", nargs="+", choices=kinds, default=[one for one in kinds if one != LINES or CONTROL.exists()]
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--looks", type=int, default=2, help="how often the probe looks on the way")
    parser.add_argument("--share", type=float, default=0.5, help="derived pictures' share of the steps, at most")
    parser.add_argument("--held-out", type=float, default=0.25, help="share of the pictures that is not trained on")
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate: at this one runs overfit early")
    parser.add_argument(
        "--folder", type=Path, default=Path("build/helps"), help="where it works and keeps what is done"
    )
    parser.add_argument("--told", action="store_true", help="only print the table of what is done")
    asked = parser.parse_args()
    if asked.looks < 1 or asked.steps % asked.looks:
        parser.error(f"--looks: {asked.looks} does not divide {asked.steps} steps")
    if not CONTROL.exists():
        lacking = f"{LINES} needs a ControlNet, which `python -m scripts.pocket control` makes in 15 minutes"
        if LINES in asked.kinds:
            parser.error(lacking)
        print(f"left out: {lacking}")
    folder = asked.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    setting = Setting(asked.steps, asked.looks, asked.share, asked.held_out, asked.rate)
    notebook = Notebook(folder / "runs.jsonl")
    if not asked.told:
        subprocess.run([sys.executable, "-m", "scripts.demo", str(folder / FOLDER)], cwd=ROOT, check=True)
        for seed in range(asked.seeds):
            for arm in (NONE, *asked.kinds):
                run = notebook.find(arm, seed, setting) or notebook.add(done(folder, arm, seed, setting))
                last = run.figures[max(run.figures)]
                print(f"{arm} {seed}: learning {last[0]:+.3f}, gap {last[1]:+.3f}", flush=True)
    print("\n".join(told(notebook, setting)) or "nothing is done yet")


if __name__ == "__main__":
    main()
