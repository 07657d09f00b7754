"""One small run, as every test here starts it: also the entry point of the processes that are killed."""

import os
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from backbones.backbone import Backbone, Conditioning
from backbones.family import family_of
from training.data import Example
from training.loop import train
from training.run import Trained
from training.spec import Train

SPEC = {
    "steps": 8,
    "batch_size": 2,
    "log_every": 1,
    "checkpoint_every": 2,
    "probe_every": 4,
    "adapter": {"kind": "lora", "rank": 2, "dropout": 0.1},
    "optimizer": {"kind": "adamw", "learning_rate": 1e-3},
    "schedule": {"kind": "cosine", "warmup": 2},
}


def spec(**changes: object) -> Train:
    return Train.model_validate({**SPEC, **changes})


def examples(count: int = 7, side: int = 8) -> list[Example]:
    rng = torch.Generator().manual_seed(1)
    return [
        Example(f"record-{n}", torch.randn(4, side, side, generator=rng), f"a thing, number {n % 3}", 1 + n % 2)
        for n in range(count)
    ]


def conditionings(base: Backbone) -> dict[str, Conditioning]:
    return {text: base.encode_text([text]) for text in ("", *(example.caption for example in examples()))}


def quietly(_step: int, _figures: Mapping[str, float] | None = None) -> None:
    pass


def run(
    base: Backbone,
    folder: Path,
    *,
    on_log: Callable[[int, dict[str, float]], None] = quietly,
    on_pause: Callable[[int], None] = quietly,
    say: Callable[[str], None] = quietly,  # type: ignore[assignment]
    **changes: object,
) -> Trained:
    return train(
        spec(**changes), base, examples(), conditionings(base), folder, on_log=on_log, on_pause=on_pause, say=say
    )


def in_a_process(base: Path, folder: Path, steps: Connection) -> None:
    """Run, and tell each step through the pipe as it is logged (before its checkpoint is written)."""
    torch.set_num_threads(1)
    result = run(family_of(str(base)).load(), folder, on_log=lambda step, _figures: steps.send(step))
    steps.send("finished" if result.finished else "stopped")
    os._exit(0)  # what else the forking process had in hand is not this one's to end
