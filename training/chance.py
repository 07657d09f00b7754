"""Chance for a step that goes through the network in several pieces, here or in other processes: each draws the same.

Every piece draws for all of the step's examples and takes its own rows, so that noise and timesteps do not depend on
how a batch was cut.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Rows:
    """Which of a step's examples a piece has."""

    own: list[int]
    """numbers within the step, ascending"""
    count: int
    """how many examples the step has"""

    @property
    def share(self) -> float:
        """What the piece's mean loss counts in the step's."""
        return len(self.own) / self.count

    @property
    def whole(self) -> bool:
        """Whether the piece is all of the step."""
        return len(self.own) == self.count


def normal(shape: Sequence[int], rng: torch.Generator, rows: Rows | None = None) -> Tensor:
    """Standard normal numbers of a piece, (n, ...) on the CPU; without ``rows`` the piece is the whole step."""
    if rows is None or rows.whole:
        return torch.randn(tuple(shape), generator=rng)
    return torch.randn((rows.count, *shape[1:]), generator=rng)[rows.own]


def integers(high: int, count: int, rng: torch.Generator, rows: Rows | None = None) -> Tensor:
    """Whole numbers (n,) from 0 to below ``high``."""
    if rows is None or rows.whole:
        return torch.randint(high, (count,), generator=rng)
    return torch.randint(high, (rows.count,), generator=rng)[rows.own]


class Dice:
    """The run's generator. Pieces of one step throw the same; the next goes on as if there had been but one piece."""

    def __init__(self, seed: int) -> None:
        self.rng = torch.Generator().manual_seed(seed)
        self._before: Tensor | None = None
        self._mixed = False

    @contextmanager
    def step(self, *, pieces: int, mixed: bool) -> Iterator[None]:
        """Around the pieces of one step; ``mixed``: its examples, wherever they are, have several shapes."""
        self._before = self.rng.get_state() if pieces > 1 or mixed else None
        yield
        if mixed:  # what a piece has drawn follows from its shape, so nobody may go on from there
            assert self._before is not None
            self.rng.set_state(self._before)
            self.rng.manual_seed(int(torch.randint(2**62, (), generator=self.rng)))

    def piece(self) -> torch.Generator:
        """The generator as it is to be given to the next piece."""
        if self._before is not None:
            self.rng.set_state(self._before)
        return self.rng
