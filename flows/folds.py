"""Small sets: each part of the groups is held out once, so that every picture tells when to stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.marks import never_held_out
from core.record import Record
from core.seeding import seed_of
from evaluation.findings import Thresholds
from evaluation.intervals import deviations
from evaluation.metric import Evidence, load_observation, save_observation
from evaluation.metrics.probe import Probe, ProbeResult, Side
from evaluation.patience import given_up
from evaluation.verdict import best_step
from flows.job import Job

Floats = NDArray[np.float64]


def in_fold(records: Sequence[Record], fold: tuple[int, int] | None) -> list[Record]:
    """The records with the part ``number`` of ``of`` held out; made pictures of it are left out altogether.

    Groups are dealt out in the order of their hashes, so that parts differ by one group at most. Pictures that must
    never be held out (derived ones that were read back, class pictures) stay on the training side with their groups.
    """
    if fold is None:
        return list(records)
    number, of = fold
    groups = sorted(foldable(records), key=lambda group: seed_of("fold", group))
    held = {group for at, group in enumerate(groups) if at % of == number - 1}
    sides: Mapping[bool, Side] = {True: "held_out", False: "train"}
    placed = [replace(record, split=sides[_group(record) in held]) for record in records]
    return [record for record in placed if record.split == "train" or record.depth == 0]


def foldable(records: Sequence[Record]) -> set[str]:
    """The groups that can be held out."""
    return {_group(r) for r in records} - {_group(r) for r in records if never_held_out(r.tags)}


def _group(record: Record) -> str:
    return record.group or record.id


@dataclass(frozen=True, slots=True)
class Folded:
    """What all parts together say: each picture as it was while it was held out, and while it was trained on."""

    curve: Mapping[int, ProbeResult]
    """by step, pooled over the parts"""
    parts: int

    @property
    def best(self) -> int:
        """The step to train to: at least the first that was looked at."""
        return best_step({step: one for step, one in self.curve.items() if step})

    @property
    def turned(self) -> bool:
        """Whether new pictures are surely known worse at the last step than before: no longer run is needed."""
        return given_up(self.curve, 1)

    @property
    def interval(self) -> tuple[int, int]:
        """Between which steps the choice would fall with other pictures of the kind, in 95 of 100 cases.

        By a bootstrap over groups; of each draw the first step that is within a tie of the most learning.
        """
        steps = [step for step in sorted(self.curve) if step]
        learned = np.stack([-self.curve[step].held_out_means() for step in steps], 1)
        drawn = learned.mean(0) + deviations(learned, "folds")
        first = (drawn >= drawn.max(1, keepdims=True) - Thresholds().tie).argmax(1)
        low, high = np.quantile(first, [0.025, 0.975], method="inverted_cdf")
        return min(steps[low], self.best), max(steps[high], self.best)

    @property
    def figures(self) -> dict[str, float]:
        """The step and its interval, as MLflow takes them."""
        low, high = self.interval
        return {"folds/step": float(self.best), "folds/step_low": float(low), "folds/step_high": float(high)}

    @property
    def words(self) -> str:
        """For the report."""
        low, high = self.interval
        sure = f"with other pictures of the kind {low} to {high}, 95 %" if low != high else "the same in 95 % of draws"
        return (
            f"All pictures were trained on. {self.parts} runs up to step {max(self.curve)}, each without a part of "
            f"them, chose step {self.best} ({sure}); learning and gap are those of the pictures while they were held "
            "out there."
        )


@dataclass(frozen=True, slots=True)
class Part:
    """The probe's losses of one run without a part."""

    losses: Mapping[int, Floats]
    """by step, (n, k)"""
    groups: tuple[str, ...]
    side: tuple[Side, ...]


def part_of(job: Job, probe: Probe, evidence: Evidence, until: int) -> Part:
    """What the trainer observed in the run of one part, up to a step."""
    asked = probe.asked(evidence)
    folders = {step: job.step_folder(step) / f"{probe.kind}.npz" for step in job.looked if step <= until}
    losses = {step: np.asarray(load_observation(path)["losses"], np.float64) for step, path in folders.items()}
    return Part(losses, tuple(case.group or case.record for _, case in asked), tuple(side for side, _ in asked))


def pooled(parts: Sequence[Part], probe: Probe) -> Folded:
    """All parts as one probe, at the steps that all of them reached."""
    steps = sorted(set.intersection(*(set(part.losses) for part in parts)))
    groups = [group for part in parts for group in part.groups]
    sides: list[Side] = [side for part in parts for side in part.side]
    base = np.concatenate([part.losses[0] for part in parts])
    curve = {
        step: probe.compare(base, np.concatenate([part.losses[step] for part in parts]), groups, sides)
        for step in steps
    }
    return Folded(curve, len(parts))


def keep(path: Path, parts: Sequence[Part]) -> None:
    """Put the parts away beside the run that trains on everything; its judge reads them."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for number, part in enumerate(parts):
        arrays[f"{number} groups"], arrays[f"{number} side"] = np.array(part.groups), np.array(part.side)
        arrays |= {f"{number} {step}": losses for step, losses in part.losses.items()}
    save_observation(path, arrays)


def kept(job: Job, probe: Probe) -> Folded | None:
    """What `keep` put away for this run, if it was chosen by parts."""
    path = path_of(job)
    if not path.exists():
        return None
    arrays = load_observation(path)
    numbers = sorted({int(name.partition(" ")[0]) for name in arrays})
    parts = []
    for number in numbers:
        own = {name.partition(" ")[2]: array for name, array in arrays.items() if name.startswith(f"{number} ")}
        losses = {int(name): np.asarray(array, np.float64) for name, array in own.items() if name.isdigit()}
        sides: list[Side] = ["train" if str(side) == "train" else "held_out" for side in own["side"]]
        parts.append(Part(losses, tuple(str(group) for group in own["groups"]), tuple(sides)))
    return pooled(parts, probe)


def path_of(job: Job) -> Path:
    """Where the parts' losses stand."""
    return job.folder / "folds.npz"
