"""Follows a trainer by the files that it writes: its plan and progress are told, its figures go on to MLflow."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from pathlib import Path

from core.progress import report, say
from flows.job import Job
from flows.picture_series import PictureSeries
from flows.reaching import is_reachable, kept_trying
from flows.spool import Outbox
from flows.tracking import Tracking

EVERY = 5.0
"""seconds between two deliveries: each costs MLflow some 10 ms of CPU time, beside a server several times that"""
SELDOM = 15.0
"""the same in a training of more than three minutes, whose curves move slowly; in between it grows with its age"""


class Following:
    """What is known of one trainer, looked at again and again while it runs. Reads only what is new."""

    def __init__(self, job: Job, tracking: Tracking, run: str) -> None:
        self._job, self._tracking, self._run = job, tracking, run
        self._outbox, self._began, self._due = Outbox(job.spool), time.monotonic(), 0.0
        self._series = PictureSeries(job, tracking, run)
        self._plan, self._progress = Announced(job.plan), Steps(job)

    def look(self) -> None:
        """Tell what is new; deliver figures where it is time to."""
        self._plan.tell()
        now = time.monotonic()
        if now >= self._due:
            self._tracking.drain(self._run, self._outbox)
            self._show()
            self._due = now + pause(now - self._began)
        else:
            self._outbox.look()
        self._progress.tell(self._outbox.step)

    def _show(self) -> None:
        """What was drawn so far. Where MLflow does not take it now: at the next look, or with the rest at the end."""
        from mlflow.exceptions import MlflowException

        if self._series.waiting and is_reachable(self._tracking.home.tracking):
            with suppress(MlflowException, OSError):  # what requests raises is an OSError, and so is a full disk
                self._series.send()

    def to_the_end(self) -> None:
        """The trainer has reached its end: what is left is delivered, however long MLflow is away.

        `TrackingError` where that is too long; the figures stay, and the next run delivers them.
        """
        self._due = math.inf
        self.look()
        kept_trying(self._tracking.home.tracking, lambda: self._tracking.deliver(self._run, self._outbox))
        self._show()


def pause(age: float) -> float:
    """Seconds until the next delivery of a training that has been followed for ``age`` seconds."""
    return min(max(EVERY, age / 12), SELDOM)


class Announced:
    """The trainer's plan, said once, as soon as it is written."""

    def __init__(self, path: Path) -> None:
        self._path, self._told = path, False

    def tell(self) -> None:
        """Say it if it is there and has not been said."""
        if not self._told and self._path.exists():
            self._told = True
            for line in self._path.read_text().splitlines():
                say(line)


class Steps:
    """How far the trainer is; before its first step it measures the base."""

    def __init__(self, job: Job) -> None:
        self._job, self._measuring = job, not job.mark(0).exists()

    def tell(self, step: int) -> None:
        """Report it."""
        if self._measuring:
            self._measuring = not self._job.mark(0).exists()
            report("measuring the base", 1 - self._measuring, 1)
        else:
            report("training", step, self._job.recipe.train.end)
