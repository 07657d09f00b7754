"""What became of a run, as a file in its folder. Loads no network: a run that is done already is told at once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from core.files import write_text
from flows.job import Job


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of a run: the verdict, the kept checkpoint, and where its files are."""

    state: str
    words: str
    remedy: str
    last_state: str
    """the verdict on the last step, which is what one would have kept without looking"""
    kept_step: int
    last_step: int
    figures: Mapping[str, float]
    """of the kept step, such as ``probe/learning``"""
    last_figures: Mapping[str, float]
    findings: Sequence[Mapping[str, Any]] = ()
    """all that was found of the kept step, the gravest first: ``state``, ``words``, ``remedy``, and the ``figures``
    that say so, each with ``name``, ``value``, ``low`` and ``high``"""
    doubts: Sequence[str] = ()
    """what speaks against believing the figures: a split that leaks, captions that were mixed up"""
    best_strength: float | None = None
    """where the kept weights are best used; None where that was not measured"""
    culprit: str = ""
    """the part that learned by heart, where that was measured and is sure"""
    stopped_early: bool = False
    """whether training ended before its last step, because held-out pictures were surely getting worse"""
    run: str = ""
    """MLflow's id"""
    version: str = ""
    """of the registered model; empty until it is registered"""
    files: Mapping[str, str] = field(default_factory=dict)
    """what to path"""

    @staticmethod
    def path(job: Job) -> Path:
        """Where a run's judgement stands."""
        return job.folder / "verdict.json"

    @classmethod
    def read(cls, job: Job) -> "Judgement | None":
        """The judgement of a run that has been judged."""
        path = cls.path(job)
        return cls(**json.loads(path.read_text())) if path.exists() else None

    def registered(self, job: Job, run: str, version: str) -> "Judgement":
        """The same, known to MLflow; written down, so that the run is finished."""
        done = replace(self, run=run, version=version)
        write_text(self.path(job), json.dumps(asdict(done), indent=1, sort_keys=True))
        return done
