"""Checkpoints: one file each, whole or not there, checked when read; the newest two are kept."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.errors import RecipeError
from training.tensors import checksum, read_tensors, write_tensors
from training.tree import pack, unpack

KEPT = 2
FORMAT = "velatura-checkpoint-2"


@dataclass(frozen=True)
class Checkpoint:
    """All that the next step depends on, between two steps."""

    step: int
    run: str
    """identity of the run: what it trains on what, and how"""
    adapter: dict[str, Tensor]
    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    average: dict[str, Tensor]
    """of the weights; empty where none is kept"""
    scaling: dict[str, Tensor]
    """of losses in fp16; empty otherwise"""
    epoch: int
    offset: int
    """position in the epoch's order"""
    rng: Tensor
    """of the loop's own generator"""
    global_rng: list[dict[str, Tensor]]
    """of each process: states of torch's generators by device, which dropout draws from"""


def path_of(folder: Path, step: int) -> Path:
    """The file of one step."""
    return folder / f"step-{step:08d}.safetensors"


def steps_in(folder: Path) -> list[int]:
    """Steps that have a file, the newest first."""
    return sorted((int(path.stem.removeprefix("step-")) for path in folder.glob("step-*.safetensors")), reverse=True)


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Write it, then drop those that are older than the newest two. `DiskFull` leaves the old ones as they were."""
    tensors: dict[str, Tensor] = {}
    tree = pack({name: value for name, value in vars(checkpoint).items() if name not in ("step", "run")}, "", tensors)
    metadata = {
        "format": FORMAT,
        "step": str(checkpoint.step),
        "run": checkpoint.run,
        "tree": json.dumps(tree),
        "checksum": checksum(tensors),
    }
    write_tensors(path_of(folder, checkpoint.step), tensors, metadata)
    for old in steps_in(folder)[KEPT:]:
        path_of(folder, old).unlink(missing_ok=True)


def load(path: Path) -> Checkpoint:
    """Read one; a `ValueError` says what is broken."""
    from safetensors import SafetensorError

    try:
        tensors, metadata = read_tensors(path)
        if metadata.get("format") != FORMAT:
            raise ValueError("it is not a checkpoint of this version")
        if metadata["checksum"] != checksum(tensors):
            raise ValueError("its bytes have changed since it was written")
        return Checkpoint(
            step=int(metadata["step"]), run=metadata["run"], **unpack(json.loads(metadata["tree"]), tensors)
        )
    except (SafetensorError, KeyError, TypeError, OSError) as error:
        raise ValueError(f"it cannot be read ({error})") from error


def newest(folder: Path, run: str, say: Callable[[str], None]) -> Checkpoint | None:
    """The newest whole checkpoint, or none. A broken one is passed over with a word; another run's is refused."""
    for step in steps_in(folder):
        path = path_of(folder, step)
        try:
            checkpoint = load(path)
        except ValueError as error:
            say(f"{path} is passed over: {error}; the one before it is used")
            path.rename(path.with_suffix(".broken"))
            continue
        if checkpoint.run != run:
            raise RecipeError(
                f"{folder} holds checkpoints of another run (its data, base or settings differ); "
                "give this one another folder, or delete the old checkpoints"
            )
        return checkpoint
    return None


def global_rng() -> dict[str, Tensor]:
    """States of torch's own generators."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def set_global_rng(states: dict[str, Tensor]) -> None:
    """Put back what `global_rng` gave."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
