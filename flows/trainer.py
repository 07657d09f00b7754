"""The trainer's process: `python -m flows.trainer RUN_FOLDER`. It knows neither Prefect nor MLflow.

Where several train one model, the first starts the others, with RANK COUNT MEETING_FILE behind the folder.

It composes the loop of `training` with the measures of `evaluation`, writes figures to a spool, and goes on where an
interrupted one stopped. It ends when its parent does: the pipe on its standard input is then closed.
"""

import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from PIL import Image

from backbones.backbone import Backbone
from core.errors import TrainingFailed, VelaturaError
from core.files import replacing, write_text
from core.seeding import seed_of
from evaluation.grid import grid
from evaluation.metric import Metric, Subject, load_observation, logged, save_observation
from evaluation.patience import given_up
from flows.curve import in_pauses, probe_curve
from flows.job import Job
from flows.material import Material, gather
from flows.processes import together
from flows.spool import Spool
from store.store import Store
from training.checkpoint import steps_in
from training.loop import train
from training.memory import estimated
from training.stopping import ECHO, asked


class Looker:
    """Looks at the model at a pause: what the cheap metrics observe, and samples of that step."""

    def __init__(self, job: Job, backbone: Backbone, material: Material, spool: Spool) -> None:
        self.job, self.backbone, self.material, self.spool = job, backbone, material, spool
        self.metrics = pause_metrics(job, material)
        self.prompts = material.prompts(job)[: job.recipe.samples.previews]

    def look(self, step: int) -> bool:
        """Everything of one step; True where the run is to end here.

        The mark comes last, so what it stands beside is whole; a marked step is left as it is.
        """
        if not self.job.mark(step).exists():
            # step 0 is the base, which everything is compared with, also where training starts from a tuned file
            begun = step == 0 and self.job.recipe.train.start_from
            with self.backbone.untuned() if begun else nullcontext():
                self._look(step)
        patience = self.job.recipe.train.stop_early
        if patience is None or not given_up(probe_curve(self.job, self.material.evidence, step), patience):
            return False
        write_text(self.job.gave_up, f"{step}\n")
        return True

    def _look(self, step: int) -> None:
        folder, measured, began = self.job.step_folder(step), {}, time.perf_counter()
        heard = self.material.heard_by(self.backbone, self.job.recipe.samples.prior)
        plain = self.material.evidence if self.backbone.words_tuned else None
        for metric in self.metrics:
            observed = metric.observe(Subject(self.backbone, heard, plain=plain))
            save_observation(folder / f"{metric.kind}.npz", observed)
            base = load_observation(self.job.step_folder(0) / f"{metric.kind}.npz")
            measured[metric.kind] = metric.measure(base, observed, self.material.evidence)
        seconds = {"look/measuring_seconds": time.perf_counter() - began}
        self._draw(step)
        self.spool.write(step, logged(measured) | seconds | {"look/seconds": time.perf_counter() - began})
        write_text(self.job.mark(step), "")

    def _draw(self, step: int) -> None:
        folder, spec = self.job.step_folder(step), self.job.recipe.samples
        seeds = [seed_of("sample", spec.seed, number) % 2**32 for number in range(len(self.prompts))]
        drawn = self.backbone.sample(self.prompts, seeds, steps=spec.steps, guidance=spec.guidance) if seeds else []
        for number, pixels in enumerate(drawn):
            with replacing(folder / f"sample-{number}.png") as temporary:
                Image.fromarray(pixels).save(temporary, "PNG")
        if drawn:
            self._lay_out(step)

    def _lay_out(self, step: int) -> None:
        shown = {}
        for at in dict.fromkeys((0, step)):
            shown[f"step {at}" if at else "base"] = [np.asarray(Image.open(path)) for path in self.job.samples(at)]
        data = grid(self.prompts, list(shown), list(zip(*shown.values(), strict=True)))
        with replacing(self.job.sheet(step)) as temporary:
            temporary.write_bytes(data)


def pause_metrics(job: Job, material: Material) -> list[Metric]:
    """Those of the recipe's metrics that need no samples, and that there is evidence for."""
    there = {"cases"} | ({"prior"} if material.evidence.prior else set())
    return [in_pauses(job, metric) for metric in job.recipe.metrics if metric.needs <= there]


def prepared(job: Job) -> tuple[Backbone, Material]:
    """The base and all that it is shown, from the caches where it is there."""
    import torch

    torch.set_num_threads(job.recipe.train.threads)
    store = Store.open(job.snapshot.store)
    backbone = job.recipe.family.load(device=job.device, precision=job.recipe.train.precision)
    return backbone, gather(job, store, backbone)


def work(folder: Path) -> None:
    """Train what the job in ``folder`` asks for, from the newest checkpoint if there is one."""
    from training.peers import take_place

    job = Job.read(folder)
    take_place(0, job.recipe.train.processes)
    backbone, material = prepared(job)
    newest = next(iter(steps_in(job.training / "checkpoints")), 0)
    spool = Spool(job.spool, from_step=newest)
    looker = Looker(job, backbone, material, spool)
    with together(folder, job.recipe.train.processes):
        done = train(
            job.recipe.train,
            backbone,
            material.examples,
            material.conditionings,
            job.training,
            on_log=lambda step, figures: spool.write(step, {f"train/{name}": value for name, value in figures.items()}),
            on_pause=looker.look,
            on_ready=lambda run: announce(job, [*material.plan, *estimated(run).words()]),
            metadata=job.metadata(),
            say=lambda words: print(words, file=sys.stderr, flush=True),
        )
    if not done.finished:
        raise TrainingFailed(f"asked to stop at step {done.step}; a checkpoint was saved, run again and it goes on")


def work_beside(folder: Path, rank: int, count: int, meeting: Path) -> None:
    """Do a share of each step of the run in ``folder``, which another process has begun."""
    from training.peers import join, leave, take_place

    take_place(rank, count)
    job = Job.read(folder)
    backbone, material = prepared(job)
    join(rank, count, meeting)
    train(
        job.recipe.train,
        backbone,
        material.examples,
        material.conditionings,
        job.training,
        on_log=lambda _step, _figures: None,  # the first process writes and looks
        on_pause=lambda _step: None,
    )
    leave()


def announce(job: Job, lines: Sequence[str]) -> None:
    """Say before the first step what is going to be done; whoever started the trainer reads it in a file."""
    write_text(job.plan, "\n".join(lines) + "\n")
    print("\n".join(lines), file=sys.stderr, flush=True)


def end_with_parent() -> None:
    """Leave when the parent is gone, so that no trainer keeps a GPU that nobody waits for.

    Soon, since another may begin the run again; but where it was asked to stop as well, it may save first.
    """

    def wait() -> None:
        while os.read(0, 1):  # not sys.stdin: its lock would be held when the interpreter shuts down
            pass
        time.sleep(0.5)  # both may come at once, and a signal is heard between two operations only
        if asked():
            time.sleep(ECHO)
        os._exit(9)

    threading.Thread(target=wait, daemon=True).start()


def main(arguments: Sequence[str]) -> int:
    """The process's status: 2 where training did not reach its end, with the reason on standard error."""
    try:
        if len(arguments) == 1:
            work(Path(arguments[0]))
        else:
            work_beside(Path(arguments[0]), int(arguments[1]), int(arguments[2]), Path(arguments[3]))
    except VelaturaError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    end_with_parent()
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # all is written; to take torch and diffusers apart would take up to 2.7 seconds more
