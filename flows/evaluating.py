"""Look at any adapter over any base: what it learned, what it knows by heart, what it forgot, where to use it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backbones.adapter_files import hash_of
from backbones.family import family_of
from core.errors import MissingBase
from core.progress import say
from evaluation.candidate import Candidate, from_file
from evaluation.candidate import base as untuned
from evaluation.comparing import zero_of
from evaluation.metric import Measured, Metric, logged
from evaluation.metrics.probe import ProbeResult
from evaluation.report import Dataset, ReportData, Samples, write_report
from evaluation.verdict import Verdict, judge
from flows import recipe
from flows.bench import Bench
from flows.evaluation_data import Seen, material_of, pictures_for
from flows.home import Home
from flows.job import reader
from flows.nearest_pairs import SHOWN, nearest_of


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked at, and how closely."""

    base: str
    adapter: Path
    data: str
    held_out: str
    metrics: tuple[Metric, ...]
    samples: recipe.Samples
    trigger: str = ""
    strength: float = 1.0
    home: str = ""


@dataclass(frozen=True)
class Evaluated:
    """What was found of one adapter."""

    asked: Asked
    verdict: Verdict
    measured: Mapping[str, Measured]
    lacking: Mapping[str, str]
    """measure -> why it could not be made"""
    seen: Seen
    doubt: str = ""
    """where captions were mixed up"""
    report: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        sides = [record.split for record in self.seen.records]
        return {
            "adapter": str(self.asked.adapter),
            "base": self.asked.base,
            "train": sides.count("train"),
            "held_out": sides.count("held_out"),
            "verdict": self.verdict.dump(),
            "figures": logged(self.measured),
            "lacking": dict(self.lacking),
            "notes": [*self.seen.notes, *([self.doubt] if self.doubt else [])],
            "report": str(self.report) if self.report else "",
        }


def evaluate(asked: Asked, report: Path | None = None) -> Evaluated:
    """Measure what was asked for, and write the report if there is a place for it."""
    import torch

    family = family_of(asked.base)
    if not asked.adapter.exists():
        raise MissingBase(f"there is no adapter file {asked.adapter}")
    seen = pictures_for(asked.data, asked.held_out, asked.home, trigger=asked.trigger, base=asked.base)
    for note in seen.notes:
        say(note)
    backbone = family.load(device="cuda" if torch.cuda.is_available() else "cpu")
    material = material_of(seen, backbone, asked.samples)
    kept = Home.of(asked.home).root / "evaluations" / "observed"
    prompts = (material.captions("held_out") or material.captions("train"))[: asked.samples.count]
    bench = Bench(
        backbone,
        material,
        asked.samples,
        reader(seen.store),
        seen.store.cache,
        prompts=prompts,
        trigger=asked.trigger,
        kept=kept,
    )
    candidate = from_file(asked.adapter, strength=asked.strength)
    measured = bench.measured(candidate, asked.metrics)
    lacking = {m.kind: bench.lacks(m, candidate) or "too few" for m in asked.metrics if m.kind not in measured}
    probe = measured["probe"]
    assert isinstance(probe, ProbeResult), "the probe is always among the measures"
    curve = {0: zero_of(probe), 1: probe}
    verdict = judge(
        curve,
        measured.get("memorisation"),
        measured.get("prior_drift"),
        strength=measured.get("strength"),
        parts=measured.get("which_part"),
    )
    found = Evaluated(asked, verdict, measured, lacking, seen, bench.doubt_of_captions(), report)
    if report is not None:
        write_report(report, page_of(found, curve, candidate, bench))
    return found


def page_of(found: Evaluated, curve: Mapping[int, ProbeResult], candidate: Candidate, bench: Bench) -> ReportData:
    """Everything that the report shows."""
    asked, records = found.asked, found.seen.records
    pictures = bench.real["train"].pixels[:SHOWN]
    drawn = {"base": bench.shown(untuned()), asked.adapter.stem: bench.shown(candidate)}
    sides = [record.split for record in records]
    return ReportData(
        title=asked.adapter.name,
        made=time.strftime("%d %B %Y, %H:%M"),
        verdict=found.verdict,
        curve=curve,
        along_steps=False,
        measured={kind: one for kind, one in found.measured.items() if kind != "probe"},
        samples=Samples(tuple(bench.prompts), tuple(drawn), tuple(zip(*drawn.values(), strict=True)))
        if bench.prompts
        else None,
        nearest=nearest_of(bench, found.measured, candidate),
        dataset=Dataset(
            "of its own" if not asked.held_out else f"{asked.data} and {asked.held_out}",
            hash_of(asked.adapter),
            train=sides.count("train"),
            held_out=sides.count("held_out"),
            groups=len({record.group or record.id for record in records}),
            pictures=tuple(pictures),
            notes=(
                *found.seen.notes,
                *([found.doubt] if found.doubt else []),
                *(f"{kind} was not measured: {why}" for kind, why in found.lacking.items()),
            ),
        ),
        facts=[("base", asked.base), ("adapter", str(asked.adapter)), ("strength", f"{asked.strength:g}")],
    )
