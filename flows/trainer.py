"""The trainer's process: `python -m flows.trainer RUN_FOLDER`. It knows neither Prefect nor MLflow.

It composes the loop of `training` with the measures of `evaluation`, writes figures to a spool, and goes on where an
interrupted one stopped. It ends when its parent does: the pipe on its standard input is then closed.
"""

import os
import sys
import threading
from pathlib import Path

from PIL import Image

from backbones.backbone import Backbone
from core.errors import TrainingFailed, VelaturaError
from core.files import replacing, write_text
from core.seeding import seed_of
from evaluation.metric import Metric, Subject, load_observation, logged, save_observation
from flows.job import Job
from flows.material import Material, gather
from flows.spool import Spool
from store.store import Store
from training.checkpoint import steps_in
from training.loop import train


class Looker:
    """Looks at the model at a pause: what the cheap metrics observe, and samples of that step."""

    def __init__(self, job: Job, backbone: Backbone, material: Material, spool: Spool) -> None:
        self.job, self.backbone, self.material, self.spool = job, backbone, material, spool
        self.metrics = pause_metrics(job, material)
        self.prompts = material.prompts(job)[: job.recipe.samples.previews]

    def look(self, step: int) -> None:
        """Everything of one step. The mark comes last, so what it stands beside is whole; a marked step is left."""
        folder = self.job.step_folder(step)
        if self.job.mark(step).exists():
            return
        measured = {}
        heard = self.material.heard_by(self.backbone, self.job.recipe.samples.prior)
        for metric in self.metrics:
            observed = metric.observe(Subject(self.backbone, heard))
            save_observation(folder / f"{metric.kind}.npz", observed)
            base = load_observation(self.job.step_folder(0) / f"{metric.kind}.npz")
            measured[metric.kind] = metric.measure(base, observed, self.material.evidence)
        self._draw(folder)
        self.spool.write(step, logged(measured))
        write_text(self.job.mark(step), "")

    def _draw(self, folder: Path) -> None:
        spec = self.job.recipe.samples
        seeds = [seed_of("sample", spec.seed, number) % 2**32 for number in range(len(self.prompts))]
        drawn = self.backbone.sample(self.prompts, seeds, steps=spec.steps, guidance=spec.guidance) if seeds else []
        for number, pixels in enumerate(drawn):
            with replacing(folder / f"sample-{number}.png") as temporary:
                Image.fromarray(pixels).save(temporary, "PNG")


def pause_metrics(job: Job, material: Material) -> list[Metric]:
    """Those of the recipe's metrics that need no samples, and that there is evidence for."""
    there = {"cases"} | ({"prior"} if material.evidence.prior else set())
    return [metric for metric in job.recipe.metrics if metric.needs <= there]


def work(folder: Path) -> None:
    """Train what the job in ``folder`` asks for, from the newest checkpoint if there is one."""
    import torch

    job = Job.read(folder)
    torch.set_num_threads(job.recipe.train.threads)
    store = Store.open(job.snapshot.store)
    backbone = job.recipe.family.load(device=job.device, precision=job.recipe.train.precision)
    material = gather(job, store, backbone)
    newest = next(iter(steps_in(job.training / "checkpoints")), 0)
    spool = Spool(job.spool, from_step=newest)
    looker = Looker(job, backbone, material, spool)
    done = train(
        job.recipe.train,
        backbone,
        material.examples,
        material.conditionings,
        job.training,
        on_log=lambda step, figures: spool.write(step, {f"train/{name}": value for name, value in figures.items()}),
        on_pause=looker.look,
        metadata=job.metadata(),
        say=lambda words: print(words, file=sys.stderr, flush=True),
    )
    if not done.finished:
        raise TrainingFailed(f"asked to stop at step {done.step}; a checkpoint was saved, run again and it goes on")


def end_with_parent() -> None:
    """Leave at once when the parent is gone, so that no trainer keeps a GPU that nobody waits for."""

    def wait() -> None:
        while os.read(0, 1):  # not sys.stdin: its lock would be held when the interpreter shuts down
            pass
        os._exit(9)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    end_with_parent()
    try:
        work(Path(sys.argv[1]))
    except VelaturaError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)
