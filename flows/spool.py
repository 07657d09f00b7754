"""Figures on their way from the trainer to MLflow: lines in a file, so that a server that is down loses none."""

import json
import os
import time
from collections.abc import Iterable, Mapping
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


class Outbox:
    """The orchestrator's side: what the trainer has written and MLflow does not have. A look reads only what is new."""

    def __init__(self, spool: Path) -> None:
        self.spool, self.sent = spool, spool.with_suffix(".sent")
        self.step = 0
        """the furthest step that the trainer has written of"""
        self._known = set(self.sent.read_text().splitlines()) if self.sent.exists() else set()
        self._waiting: dict[str, Figure] = {}
        self._file, self._offset = 0, 0

    def look(self) -> list[Figure]:
        """The figures that wait to be sent.

        A resumed trainer writes the same steps again with the same values; by (key, step) they are sent once.
        """
        for line in self._new_lines():
            figure = Figure(**json.loads(line))
            self.step = max(self.step, figure.step)
            if _name(figure) not in self._known:
                self._waiting[_name(figure)] = figure
        return list(self._waiting.values())

    def mark_sent(self, figures: Iterable[Figure]) -> None:
        """Note that these have arrived. A crash in between sends them twice, of which MLflow keeps one."""
        names = [_name(figure) for figure in figures]
        with self.sent.open("a") as file:
            file.writelines(f"{name}\n" for name in names)
        self._known.update(names)
        for name in names:
            self._waiting.pop(name, None)

    def _new_lines(self) -> list[bytes]:
        """Whole lines that were not read yet; of a file that a resumed trainer has put in its place all of them."""
        try:
            with self.spool.open("rb") as file:
                there = os.fstat(file.fileno())
                if there.st_ino != self._file or there.st_size < self._offset:
                    self._file, self._offset, self.step, self._waiting = there.st_ino, 0, 0, {}
                file.seek(self._offset)
                text = file.read()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.splitlines()


def _name(figure: Figure) -> str:
    return f"{figure.key}@{figure.step}"


def _line(figure: Figure) -> str:
    fields = {"key": figure.key, "value": figure.value, "step": figure.step, "time_ms": figure.time_ms}
    return json.dumps(fields) + "\n"
