"""Progress bars on the terminal for whatever reports through `core.progress`."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from core.progress import UNKNOWN, WORDS, shown_by

EVERY = 15.0
"""seconds"""


class Rate(ProgressColumn):
    """How many are done a second."""

    def render(self, task: Task) -> Text:
        """The rate, or nothing where it is not known yet."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "", style="dim")


@contextmanager
def live_progress(*, quiet: bool = False) -> Iterator[None]:
    """Show a bar with rate and time left for each piece of work; on a file or pipe, a line now and then."""
    if quiet:
        yield
        return
    if not sys.stderr.isatty():
        with shown_by(Lines()):
            yield
        return
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def show(label: str, done: int, total: int) -> None:
            if total in (WORDS, 0):
                bars.console.print(label if total else f"{label}: nothing to do", highlight=False)
                return
            known = None if total == UNKNOWN else total
            if label not in tasks:
                tasks[label] = bars.add_task(label, total=known)
            bars.update(tasks[label], completed=done, total=known)

        with shown_by(show):
            yield


class Lines:
    """For output that is no terminal: a line when work begins, every ``EVERY`` seconds, and when it is done."""

    def __init__(self) -> None:
        self.label, self.began, self.told, self.ended = "", 0.0, 0.0, False

    def __call__(self, label: str, done: int, total: int) -> None:
        """A `core.progress.Sink`."""
        now = time.monotonic()
        if total in (WORDS, 0):
            self._print(label if total else f"{label}: nothing to do")
            return
        if label != self.label:
            self.label, self.began, self.told, self.ended = label, now, now, False
            if done < total:
                self._print(f"{label}: {total} to do")
        if done == total and not self.ended:
            self.ended = True
            self._print(f"{label}: {done} done in {now - self.began:.0f} s")
        elif now - self.told >= EVERY and not self.ended:
            self.told = now
            self._print(f"{label}: {done}{f' of {total}' if total > 0 else ''}")

    def _print(self, words: str) -> None:
        print(words, file=sys.stderr, flush=True)
