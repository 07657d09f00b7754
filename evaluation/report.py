"""The report on a run: one HTML file that stands on its own, to be read in a browser, mailed or printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.files import write_text
from core.pixels import Pixels
from evaluation.metric import Measured
from evaluation.metrics.probe import ProbeResult
from evaluation.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of the same prompts and seeds: a row per prompt, a column per network."""

    prompts: tuple[str, ...]
    columns: tuple[str, ...]
    """``base``, ``step 100``, ..."""
    pictures: tuple[tuple[Pixels, ...], ...]
    best: str = ""
    """the column of the checkpoint to keep"""


@dataclass(frozen=True, slots=True)
class Nearest:
    """A sample beside the training picture it is nearest to."""

    sample: Pixels
    training: Pixels
    prompt: str
    pixel: float
    clip: float
    copied: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """How many pictures were refused for one reason, and a few of them."""

    code: str
    words: str
    count: int
    pictures: tuple[Pixels, ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """What the run was trained and measured on."""

    snapshot: str
    manifest: str
    train: int
    held_out: int
    made: int = 0
    """by augmentation, on the training side only"""
    groups: int = 0
    refused: tuple[Refusal, ...] = ()
    duplicates: tuple[tuple[Pixels, ...], ...] = ()
    """groups of near-duplicates that were found, a few pictures of each"""
    pictures: tuple[Pixels, ...] = ()
    """training pictures, a few or all"""
    notes: tuple[str, ...] = ()
    """such as that a new picture joined two groups"""


@dataclass(frozen=True, slots=True)
class ReportData:
    """All that the report shows; whoever ran the training fills it in."""

    title: str
    made: str
    """when, in words"""
    verdict: Verdict
    curve: Mapping[int, ProbeResult]
    """by step, step 0 included"""
    measured: Mapping[str, Measured] = field(default_factory=dict)
    """what the other metrics found of the judged checkpoint, by kind"""
    losses: Sequence[tuple[int, float]] = ()
    """training loss by step"""
    samples: Samples | None = None
    nearest: Sequence[Nearest] = ()
    dataset: Dataset | None = None
    recipe: str = ""
    facts: Sequence[tuple[str, str]] = ()
    """such as base, adapter, seconds"""
    files: Sequence[tuple[str, str]] = ()
    """(what, where)"""
    along_steps: bool = True
    """False where the steps are only the base and one file: there is no run to draw"""


def write_report(path: Path, data: ReportData) -> None:
    """Write the page, whole or not at all."""
    from evaluation.page import page

    write_text(path, page(data))
