"""Figures on their way from the trainer to MLflow: lines in a file, so that a server that is down loses none."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.files import write_text


@dataclass(frozen=True, slots=True)
class Figure:
    """One value of one figure at one step."""

    key: str
    value: float
    step: int
    time_ms: int


class Spool:
    """The trainer's side: one JSON line per figure, flushed at once."""

    def __init__(self, path: Path, *, from_step: int | None = None) -> None:
        """``from_step`` is the step that the trainer resumes at: what it wrote of later steps is taken back."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if from_step is not None and path.exists():
            kept = [f for f in read(path) if f.step <= from_step]
            write_text(path, "".join(_line(f) for f in kept))

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Append the figures of one step."""
        now = int(time.time() * 1000)
        with self.path.open("a") as file:
            file.write("".join(_line(Figure(key, float(value), step, now)) for key, value in figures.items()))


def read(path: Path) -> list[Figure]:
    """All whole lines of a spool, each (key, step) once; a line that is still being written waits for the next time."""
    if not path.exists():
        return []
    text = path.read_text()
    figures = (Figure(**json.loads(line)) for line in text[: text.rfind("\n") + 1].splitlines())
    return list({(figure.key, figure.step): figure for figure in figures}.values())


def unsent(path: Path, sent: Path) -> list[Figure]:
    """The figures that ``sent`` does not yet list.

    A resumed trainer writes the same steps again with the same values; by (key, step) they are sent once.
    """
    known = set(sent.read_text().splitlines()) if sent.exists() else set()
    return [figure for figure in read(path) if f"{figure.key}@{figure.step}" not in known]


def mark_sent(sent: Path, figures: list[Figure]) -> None:
    """Note that these have arrived. A crash between sending and noting sends them twice: MLflow keeps equals once."""
    with sent.open("a") as file:
        file.writelines(f"{figure.key}@{figure.step}\n" for figure in figures)


def _line(figure: Figure) -> str:
    fields = {"key": figure.key, "value": figure.value, "step": figure.step, "time_ms": figure.time_ms}
    return json.dumps(fields) + "\n"
