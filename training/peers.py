"""The processes that train one model together (through accelerate): each has a share of every step's examples."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import torch
from accelerate import PartialState
from accelerate.utils import gather, reduce
from torch import Tensor, distributed, nn

from core.errors import RecipeError

PATIENCE = timedelta(days=7)
"""the others wait as long as the first one looks at the model and draws; one that has died is noticed at once"""


class Peers:
    """One process among the others. Alone, it costs nothing."""

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count

    @classmethod
    def here(cls, expected: int) -> Peers:
        """The processes that `join` brought together; `RecipeError` where they are not as many as the recipe says."""
        joined = distributed.is_available() and distributed.is_initialized()
        count = distributed.get_world_size() if joined else 1
        if count != expected:
            raise RecipeError(f"train.processes is {expected}, and this is one of {count}; `velatura run` starts them")
        return cls(distributed.get_rank() if joined else 0, count)

    @property
    def first(self) -> bool:
        """Whether this is the one that writes, looks and speaks."""
        return self.rank == 0

    def part(self, pieces: int) -> tuple[int, int]:
        """Which of a step's pieces are this one's: from, and to before."""
        each = pieces // self.count
        return self.rank * each, (self.rank + 1) * each

    def add_up(self, parameters: Sequence[nn.Parameter], loss: Tensor) -> Tensor:
        """Sum the gradients of all processes in place, and return the sum of their losses; all in one message."""
        if self.count == 1:
            return loss
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([*(gradient.flatten() for gradient in gradients), loss.reshape(1).float()])
        distributed.all_reduce(flat)  # in place, where accelerate's `reduce` would copy all gradients once more
        parts: Sequence[Tensor] = torch.split_with_sizes(flat, [*(gradient.numel() for gradient in gradients), 1])
        torch._foreach_copy_(gradients, [part.view_as(g) for part, g in zip(parts[:-1], gradients, strict=True)])
        return parts[-1][0]

    def any(self, flag: bool) -> bool:
        """Whether it is so in one of the processes; said from main memory to main memory, no device is waited for."""
        if self.count == 1:
            return flag
        return bool(reduce(torch.tensor([int(flag)]), "sum"))

    def of_all(self, value: Tensor) -> list[Tensor]:
        """The tensors (on the CPU, of one shape) of all processes, in the order of their ranks."""
        if self.count == 1:
            return [value]
        return list(gather(value[None].to(PartialState().device)).cpu())

    def wait(self) -> None:
        """Until all have come here."""
        if self.count > 1:
            PartialState().wait_for_everyone()


def take_place(rank: int, count: int) -> None:
    """Before anything is loaded: each process has a GPU of its own, or all share the CPU."""
    if torch.cuda.is_available():
        if torch.cuda.device_count() < count:
            raise RecipeError(f"train.processes is {count}; this machine has {torch.cuda.device_count()} GPUs")
        torch.cuda.set_device(rank)


def join(rank: int, count: int, meeting: Path) -> None:
    """Bring ``count`` processes of this machine together; ``meeting`` is a file that is not there yet."""
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    os.environ |= {name: str(number) for name, number in place.items()}
    os.environ.setdefault("OMP_NUM_THREADS", str(torch.get_num_threads()))  # or accelerate sets it, and says so
    gpus = torch.cuda.is_available()
    PartialState(
        cpu=not gpus,
        backend="cuda:nccl,cpu:gloo" if gpus else None,  # flags stay in main memory, no device is waited for
        init_method=meeting.absolute().as_uri(),
        rank=rank,
        world_size=count,
        timeout=PATIENCE,
    )


def leave() -> None:
    """Part, at the end."""
    PartialState().destroy_process_group()
