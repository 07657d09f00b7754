"""Progress bars on the terminal for whatever reports through `core.progress`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from core.progress import Sink, shown_by


class Rate(ProgressColumn):
    """How many are done a second."""

    def render(self, task: Task) -> Text:
        """The rate, or nothing where it is not known yet."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "", style="dim")


@contextmanager
def live_progress(*, quiet: bool = False) -> Iterator[None]:
    """Show a bar with rate and time left for each piece of work; on a file or pipe, one line when a piece is done."""
    if quiet:
        yield
        return
    if not sys.stderr.isatty():
        with shown_by(lines()):
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
        tasks: dict[str, int] = {}

        def show(label: str, done: int, total: int) -> None:
            if total == 0 and done == 0 and label not in tasks:
                bars.console.print(label)  # a word, not work
                return
            if label not in tasks:
                tasks[label] = bars.add_task(label, total=total or None)
            bars.update(tasks[label], completed=done, total=total or None)  # type: ignore[arg-type]

        with shown_by(show):
            yield


def lines() -> Sink:
    """A sink that prints one line when a piece of work is done, for output that is no terminal."""
    last: dict[str, int] = {}

    def show(label: str, done: int, total: int) -> None:
        if done == total and last.get(label) != total:
            print(f"{label}: {done}" if total else label, file=sys.stderr, flush=True)
        last[label] = done

    return show
