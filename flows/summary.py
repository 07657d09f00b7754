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
from flows.recipe import Recipe

COLOURS = {"healthy": "green", "underfit": "yellow", "not enough evidence": "yellow"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was done to bring the dataset up to date before training."""

    ingested: Ingested
    curated: Curated
    captioned: Captioned
    augmented: Augmented


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that a finished run can say of itself."""

    job: Job
    prepared: Prepared | None
    """None where the recipe names a snapshot, which is trained on as it is"""
    judgement: Judgement
    fresh: bool
    """whether anything was trained; otherwise the same data and recipe had been trained before"""
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        said = {
            "name": self.job.recipe.name,
            "key": self.job.key,
            "fresh": self.fresh,
            "seconds": round(self.seconds, 1),
            "dataset": asdict(self.job.snapshot),
        }
        if self.prepared is not None:
            said |= {
                "found": self.prepared.ingested.found,
                "read": self.prepared.ingested.read,
                "kept": self.prepared.curated.kept,
                "refused": dict(self.prepared.curated.refused),
                "held_out": self.prepared.curated.held_out,
                "captions": asdict(self.prepared.captioned),
                "derived": asdict(self.prepared.augmented),
            }
        return {**said, **asdict(self.judgement)}


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
        *(f"[bold]doubt[/]     {escape(words)}" for words in judgement.doubts),
        f"[bold]kept[/]      step {judgement.kept_step} of {judgement.last_step}"
        + (", where training stopped early" if judgement.stopped_early else "")
        + use_of(judgement)
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


def use_of(judgement: Judgement) -> str:
    """At which strength the kept file does best, where that was measured."""
    if judgement.best_strength is None:
        return ""
    return ", best at " + ("full strength" if judgement.best_strength == 1 else f"strength {judgement.best_strength:g}")


def data_lines(outcome: Outcome) -> list[str]:
    """What became of the pictures."""
    snapshot, prepared = outcome.job.snapshot, outcome.prepared
    version = f"          snapshot {snapshot.tag}, manifest {snapshot.manifest[:12]}"
    if prepared is None:
        named = escape(outcome.job.recipe.snapshot)
        words = f"those of the snapshot {named}, as they are there: {snapshot.count:,}, {snapshot.held_out:,} held out"
        return [f"[bold]pictures[/]  {words}", version]
    ingested, curated = prepared.ingested, prepared.curated
    refused = ", ".join(f"{count} {code.replace('_', ' ')}" for code, count in sorted(curated.refused.items()))
    several = " (some for more than one reason)" if sum(curated.refused.values()) > curated.num_refused else ""
    trained = curated.kept - curated.held_out - curated.regularisation
    lines = [
        f"[bold]pictures[/]  {ingested.found} found, {ingested.read} of them new or changed; {curated.kept} kept: "
        f"{trained} to train on, {curated.held_out} held out",
        f"          {curated.num_refused} refused: {refused}{several}" if refused else "          none refused",
        f"          {prepared.captioned.by_person} captioned by a person, {prepared.captioned.made} now by "
        f"{outcome.job.recipe.captioner.kind}; {prepared.augmented.made} made by augmentation "
        f"({prepared.augmented.unchanged} were there)",
        version,
    ]
    notes = [*ingested.notes, *regularisation_note(curated.regularisation, outcome.job.recipe), *curated.notes]
    return [*lines, *(f"          {escape(words)}" for words in notes)]


def regularisation_note(count: int, recipe: Recipe) -> list[str]:
    """What is told where there are regularisation pictures that nothing asks for."""
    if not count or recipe.train.class_pictures is not None:
        return []
    pictures = "1 regularisation picture is" if count == 1 else f"{count} regularisation pictures are"
    return [f"{pictures} kept but not trained on: the recipe has no `train.class_pictures`"]


def meaning_of_gap(figures: Mapping[str, float]) -> str:
    """The gap in words: how much better the training pictures are known than new ones."""
    gap, low = figures.get("probe/gap"), figures.get("probe/gap_low")
    if gap is None or low is None:
        return ""
    if low <= 0:
        return ": it knows the pictures it was trained on no better than new ones, as far as can be told"
    return f": on the pictures it was trained on it errs {100 * (1 - math.exp(-gap)):.0f} % less than on new ones"


def figure(outcome: Outcome, name: str, key: str) -> str:
    """A figure with its interval, or that it could not be measured."""
    figures = outcome.judgement.figures
    if key not in figures:
        return f"{name} not measured"
    ends = [figures.get(f"{key}_low"), figures.get(f"{key}_high")]
    interval = f" [{ends[0]:+.3f}, {ends[1]:+.3f}]" if None not in ends else ""
    return f"{name} {figures[key]:+.3f}{escape(interval)}"
