"""What a run came to, in a few lines: what was kept and refused, what was learned, where things are."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.markup import escape

from augment.augment import Augmented
from captioning.caption import Captioned
from curation.curate import Curated, Ingested
from flows.job import Job
from flows.judgement import Judgement

COLOURS = {"healthy": "green", "underfit": "yellow", "not enough evidence": "yellow"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that a finished run can say of itself."""

    job: Job
    ingested: Ingested
    curated: Curated
    captioned: Captioned
    augmented: Augmented
    judgement: Judgement
    fresh: bool
    """whether anything was trained; otherwise the same data and recipe had been trained before"""
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "name": self.job.recipe.name,
            "key": self.job.key,
            "fresh": self.fresh,
            "seconds": round(self.seconds, 1),
            "dataset": asdict(self.job.snapshot),
            "found": self.ingested.found,
            "read": self.ingested.read,
            "kept": self.curated.kept,
            "refused": dict(self.curated.refused),
            "held_out": self.curated.held_out,
            "captions": asdict(self.captioned),
            "derived": asdict(self.augmented),
            **asdict(self.judgement),
        }


def in_words(outcome: Outcome) -> str:
    """The summary that stands at the end of `velatura run`, as rich markup."""
    job, judgement = outcome.job, outcome.judgement
    colour = COLOURS.get(judgement.state, "red")
    lines = [
        "",
        *data_lines(outcome),
        "",
        f"[bold]verdict[/]   [bold {colour}]{judgement.state}[/]  {escape(judgement.words)}",
        f"          {figure(outcome, 'learning', 'probe/learning')}",
        f"          {figure(outcome, 'gap', 'probe/gap')}{meaning_of_gap(outcome.judgement.figures)}",
        f"[bold]to do[/]     {escape(judgement.remedy)}",
        f"[bold]kept[/]      step {judgement.kept_step} of {judgement.last_step}"
        + (
            f" (the last one would have been: {judgement.last_state})"
            if judgement.last_state != judgement.state
            else ""
        ),
        "",
        f"weights   {escape(judgement.files['weights'])}",
        f"report    {escape(judgement.files['report'])}",
        f"model     {job.recipe.name} version {judgement.version}; compare runs with: velatura ui",
    ]
    if outcome.fresh:
        lines.append(f"[dim]{outcome.seconds:.0f} s[/]")
    else:
        lines.append(
            f"[dim]nothing was computed again: this data and recipe are trained already ({outcome.seconds:.0f} s)[/]"
        )
    return "\n".join(lines)


def data_lines(outcome: Outcome) -> list[str]:
    """What became of the pictures."""
    ingested, curated, snapshot = outcome.ingested, outcome.curated, outcome.job.snapshot
    refused = ", ".join(f"{count} {code.replace('_', ' ')}" for code, count in sorted(curated.refused.items()))
    trained = curated.kept - curated.held_out - curated.regularisation
    lines = [
        f"[bold]pictures[/]  {ingested.found} found, {ingested.read} read; {curated.kept} kept: "
        f"{trained} to train on, {curated.held_out} held out",
        f"          {curated.num_refused} refused: {refused}" if refused else "          none refused",
        f"          {outcome.captioned.by_person} captioned by a person, {outcome.captioned.made} now by "
        f"{outcome.job.recipe.captioner.kind}; {outcome.augmented.made} made by augmentation "
        f"({outcome.augmented.unchanged} were there)",
        f"          dataset {snapshot.tag}, manifest {snapshot.manifest[:12]}",
    ]
    notes = [*ingested.notes, *regularisation_note(curated.regularisation), *curated.moved]
    return [*lines, *(f"          {escape(words)}" for words in notes)]


def regularisation_note(count: int) -> list[str]:
    """What is told where there are regularisation pictures."""
    if not count:
        return []
    pictures = "1 regularisation picture is" if count == 1 else f"{count} regularisation pictures are"
    return [f"{pictures} kept but left out of training: there is no prior preservation yet"]


def meaning_of_gap(figures: Mapping[str, float]) -> str:
    """The gap in words: how much better the training pictures are known than new ones."""
    gap, low = figures.get("probe/gap"), figures.get("probe/gap_low")
    if gap is None or low is None:
        return ""
    if low <= 0:
        return ": it knows the pictures it was trained on no better than new ones, as far as can be told"
    return f": on the pictures it was trained on it errs {1 - math.exp(-gap):.0%} less than on new ones"


def figure(outcome: Outcome, name: str, key: str) -> str:
    """A figure with its interval, or that it could not be measured."""
    figures = outcome.judgement.figures
    if key not in figures:
        return f"{name} not measured"
    ends = [figures.get(f"{key}_low"), figures.get(f"{key}_high")]
    interval = f" [{ends[0]:+.3f}, {ends[1]:+.3f}]" if None not in ends else ""
    return f"{name} {figures[key]:+.3f}{escape(interval)}"
