"""What the training loop costs over a bare one, and how soon the first step comes.

`python -m benchmarks.training` needs no network and no GPU; one thread, CPU seconds. The model is SD 1.5 shrunk to 3.3
million weights (all of its blocks, channels 32, 64, 64, 64) with random weights: LoRA of rank 4, batch 4, fp32, 64x64
pixels. The bare loop has the same adapter, latents and text states at hand, `AdamW(fused=True)`, and nothing else: no
clipping, no log, no checkpoints, no way to go on.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional

from backbones.backbone import Backbone
from backbones.family import family_of
from benchmarks.goal import Goal
from core.errors import VelaturaError
from flows.job import Job
from flows.recipe import check
from flows.stages import choose_pictures, open_store, prepare_job, read_pictures, write_captions
from flows.trainer import prepared
from tests.backbones.tiny import make_sd15
from tests.flows.pictures import SMALL, six_pictures
from tests.training import runs
from training.loop import train
from training.spec import Train

WARM, STEPS, ROUNDS = 4, 16, 21
PICTURES = 24


def spec(**changes: object) -> Train:
    """What is timed."""
    plain = {
        "steps": WARM + STEPS,
        "log_every": 10,
        "checkpoint_every": 1000,
        "probe_every": 1000,
        "adapter": {"kind": "lora", "rank": 4},
        "optimizer": {"kind": "adamw", "learning_rate": 1e-4},
    }
    return Train.model_validate(plain | changes)


def bare(base: Backbone) -> float:
    """CPU seconds of a step of the bare loop."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        adapter = spec().adapter.attach(base)
        trained = [parameter for group in adapter.groups for parameter in group.parameters]
        optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)
        examples = runs.examples(PICTURES)
        latents = torch.stack([example.latent for example in examples])
        states = torch.cat([base.encode_text([example.caption])["hidden"] for example in examples])
        alphas = base.alphas_cumprod
        base.network.train()
        for step in range(WARM + STEPS):
            if step == WARM:
                began = time.process_time()
            rows = torch.randint(len(latents), (4,))
            t = torch.randint(len(alphas), (4,))
            clean, noise = latents[rows], torch.randn(4, *latents.shape[1:])
            alpha = alphas[t].view(-1, 1, 1, 1)
            noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
            said = base.network(noisy, t, states[rows], return_dict=False)[0]
            functional.mse_loss(said, noise).backward()
            optimizer.step()
            optimizer.zero_grad()
        seconds = time.process_time() - began
        base.network.eval()
        adapter.detach()
    return seconds / STEPS


def ours(base: Backbone, **changes: object) -> float:
    """CPU seconds of a step of the loop, its readings for the log among them."""
    stamps: list[float] = []
    examples = runs.examples(PICTURES)
    states = {text: base.encode_text([text]) for text in ("", *(example.caption for example in examples))}
    first = spec(steps=WARM, log_every=WARM, **changes)
    whole = spec(log_every=10, steps=WARM + STEPS, **changes)
    for one in (first, whole):
        with tempfile.TemporaryDirectory() as folder:
            clock = Clock(stamps)
            train(one, base, examples, states, Path(folder), on_log=clock.log, on_pause=clock.pause)
    return (stamps[1] - stamps[0]) / STEPS


class Clock:
    """CPU time from before the first step to behind the last one, without export and checkpoint."""

    def __init__(self, stamps: list[float]) -> None:
        self._stamps, self._began = stamps, 0.0

    def pause(self, step: int) -> None:
        if step == 0:
            self._began = time.process_time()

    def log(self, step: int, _figures: dict[str, float]) -> None:
        if step in (WARM, WARM + STEPS) and len(self._stamps) < 2:
            self._stamps.append(time.process_time() - self._began)


class Reached(VelaturaError):
    """The first step is done."""


def first_step(job: Job) -> float:
    """Seconds from the job's file to the end of the first step."""
    began = time.monotonic()
    backbone, material = prepared(job)

    def reached(_step: int, _figures: dict[str, float]) -> None:
        raise Reached

    plan = job.recipe.train.model_copy(update={"log_every": 1})
    with tempfile.TemporaryDirectory() as folder:
        try:
            train(
                plan,
                backbone,
                material.examples,
                material.conditionings,
                Path(folder),
                on_log=reached,
                on_pause=lambda _step: None,
            )
        except Reached:
            return time.monotonic() - began
    raise AssertionError("the run had no step")


def job_of(folder: Path) -> Job:
    """A dataset that has been read, captioned and split, and a run on it."""
    six_pictures(folder / "pictures", PICTURES)
    value = SMALL | {"pictures": {"kind": "folder", "path": str(folder / "pictures")}, "home": str(folder / "home")}
    recipe = check(value, "the benchmark")
    store = open_store(recipe)
    read_pictures(recipe, store)
    choose_pictures(recipe, store)
    write_captions(recipe, store)
    return prepare_job(recipe, store.snapshot())


def measure(say: Callable[[str], None]) -> list[Goal]:
    """All figures."""
    goals: list[Goal] = []

    def note(goal: Goal) -> None:
        goals.append(goal)
        say(str(goal))

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="velatura-training-") as place:
        base = family_of(str(make_sd15(Path(place) / "base"))).load()
        bare(base)
        floor, loop = [], []
        for _ in range(ROUNDS):  # by turns: a machine that gets busier does so for both
            floor.append(bare(base))
            loop.append(ours(base))
        times = statistics.median(b / a for a, b in zip(floor, loop, strict=True))
        note(Goal("a bare step, CPU milliseconds", f"{1000 * statistics.median(floor):.1f}"))
        note(Goal("a step of the loop, CPU milliseconds", f"{1000 * statistics.median(loop):.1f}"))
        note(Goal("the loop over the bare one (median of turns)", f"{times:.3f}", "at most 1.05", times <= 1.05))
        job = job_of(Path(place))
        cold = first_step(job)
        warm = min(first_step(job) for _ in range(2))
        note(Goal("to the first step, everything encoded and imported, seconds", f"{cold:.1f}"))
        note(Goal("to the first step with warm caches, beyond imports, seconds", f"{warm:.1f}", "under 5", warm < 5))
    return goals


def main() -> int:
    """Print every figure beside its goal; 1 where one falls short."""
    return int(not all(goal.met for goal in measure(print)))


if __name__ == "__main__":
    sys.exit(main())
