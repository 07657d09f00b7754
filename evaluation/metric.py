"""A metric looks at the base and at the tuned network in the same way, and says how they differ.

`observe` is asked twice, of the base and of the tuned network, with the same evidence; what it returns are plain
arrays that can be kept in a file or a cache. `measure` compares two observations. The base's is made once.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from core.block import Block
from core.files import replacing
from core.pixels import Pixels
from evaluation.case import Case

if TYPE_CHECKING:
    from backbones.backbone import Backbone

Need = Literal["cases", "prior", "samples", "pictures", "strengths", "words"]
Observation = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Gallery:
    """Pictures and where CLIP sees them: the real ones of one side, or samples."""

    names: tuple[str, ...] = ()
    """record ids; of samples, their prompts"""
    groups: tuple[str, ...] = ()
    """near-duplicates share one; of samples, whatever was made for one prompt"""
    pixels: tuple[Pixels, ...] = ()
    embeddings: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """(n, d), unit length"""

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class Wording:
    """What prompts are made of."""

    train: tuple[str, ...] = ()
    """different captions of trained pictures, in an order that follows from the pictures alone"""
    held_out: tuple[str, ...] = ()
    trigger: str = ""


@dataclass(frozen=True, slots=True)
class Shot:
    """One sample that is asked for. Another turn of the same prompt has another seed."""

    prompt: str
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is the same for base and tuned network, in the same order. A metric's ``needs`` name what it takes."""

    train: Sequence[Case] = ()
    held_out: Sequence[Case] = ()
    prior: Sequence[Case] = ()
    train_pictures: Gallery = field(default_factory=Gallery)
    held_out_pictures: Gallery = field(default_factory=Gallery)
    wording: Wording = field(default_factory=Wording)


@dataclass(frozen=True, slots=True)
class Subject:
    """One network, base or tuned, and what it is looked at with."""

    backbone: Backbone
    evidence: Evidence = field(default_factory=Evidence)
    samples: Gallery = field(default_factory=Gallery)
    """what this network made of the prompts that base and tuned share, with the same seeds"""
    plain: Evidence | None = None
    """the evidence with its words as the base's text encoder says them; None where that one is as it was"""
    at: Callable[[float], AbstractContextManager[Evidence]] | None = None
    """puts the adapter on at another strength, and gives the evidence as it is heard then; None for the base"""
    said: Callable[[Sequence[str]], NDArray[np.float32]] | None = None
    """CLIP's vectors (n, d) of texts, beside those of the samples"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number and how sure it is."""

    name: str
    value: float
    low: float = math.nan
    """lower end of the 95 % interval; -inf where there is too little to say, NaN where an interval makes no sense"""
    high: float = math.nan

    def __str__(self) -> str:
        if math.isnan(self.low):
            return f"{self.value:.3g}"
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


@dataclass(frozen=True)
class Measured:
    """What a metric found out. Kinds add what the report shows beside the figures."""

    figures: tuple[Figure, ...]

    def __getitem__(self, name: str) -> Figure:
        for figure in self.figures:
            if figure.name == name:
                return figure
        raise KeyError(f"no figure {name!r}; known: {', '.join(figure.name for figure in self.figures)}")

    def logged(self, prefix: str) -> dict[str, float]:
        """``prefix/name``, ``prefix/name_low`` and ``_high``: finite numbers only, as a tracking server takes them."""
        every = {
            f"{prefix}/{figure.name}{end}": value
            for figure in self.figures
            for end, value in (("", figure.value), ("_low", figure.low), ("_high", figure.high))
        }
        return {name: float(value) for name, value in every.items() if math.isfinite(value)}


class Metric(Block, family="evaluation.metrics"):
    """One measure. Its file's docstring gives formula, units, paper, cost and when it lies."""

    needs: ClassVar[frozenset[Need]] = frozenset()
    """``cases`` are cheap enough for a pause in training; ``samples`` have to be made first; ``strengths`` ask for a
    file that can be put on again, ``words`` for a text encoder that was trained"""

    def shots(self, wording: Wording) -> tuple[Shot, ...]:  # noqa: ARG002
        """The samples that are to stand in `Subject.samples`; none: those in which copies are looked for."""
        return ()

    @abstractmethod
    def observe(self, subject: Subject) -> Observation:
        """What this network answers. Touches neither its weights, its mode nor the global random state."""

    @abstractmethod
    def measure(self, base: Observation, tuned: Observation, evidence: Evidence) -> Measured:
        """How the tuned network differs from the base, given what both answered to the same evidence."""


def save_observation(path: Path, observation: Observation) -> None:
    """Keep an observation as .npz, whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **dict(observation))  # type: ignore[arg-type]


def load_observation(path: Path) -> Observation:
    """What `save_observation` kept. Arrays only: nothing in the file can run code."""
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def logged(measured: Mapping[str, Measured]) -> dict[str, float]:
    """All figures of several metrics by name, such as ``probe/learning``."""
    parts: Iterable[dict[str, float]] = (one.logged(kind) for kind, one in measured.items())
    return {name: value for part in parts for name, value in part.items()}
