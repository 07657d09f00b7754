"""Samples of the looked-at steps as image series in MLflow, with a slider over the steps; sent while training goes on.

``samples`` is the sheet of all prompts beside the base's, ``samples/prompt0`` and so on are the pictures themselves.
"""

import re
from pathlib import Path

import numpy as np
from PIL import Image

from core.pixels import Pixels
from flows.job import Job
from flows.tracking import Tracking

NAME = re.compile(r"^images/(?P<key>.+)\+step\+(?P<step>\d+)\+timestamp\+")
"""how MLflow calls a picture of a series; a slash in the key stands as ~"""


class PictureSeries:
    """What of one run's pictures MLflow has, which is asked once, and what it lacks."""

    def __init__(self, job: Job, tracking: Tracking, run: str) -> None:
        self._job, self._tracking, self._run = job, tracking, run
        self._known: set[tuple[str, int]] | None = None
        self._whole: set[int] = set()

    @property
    def waiting(self) -> list[int]:
        """Looked-at steps of which MLflow may lack something."""
        return [step for step in self._job.looked if step not in self._whole]

    def send(self) -> None:
        """Log the pictures of steps that have been looked at, each once."""
        for step in self.waiting:
            if self._known is None:
                self._known = self._asked()
            for key, path in self._pictures(step).items():
                if (key, step) not in self._known:
                    self._tracking.log_picture(self._run, key, step, _pixels(path))
                    self._known.add((key, step))
            self._whole.add(step)

    def _pictures(self, step: int) -> dict[str, Path]:
        sheet = self._job.sheet(step)
        single = {f"samples/prompt{number}": path for number, path in enumerate(self._job.samples(step))}
        return ({"samples": sheet} if sheet.exists() else {}) | single

    def _asked(self) -> set[tuple[str, int]]:
        names = (NAME.match(file.path) for file in self._tracking.client.list_artifacts(self._run, "images"))
        return {(name["key"].replace("~", "/"), int(name["step"])) for name in names if name}


def _pixels(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
