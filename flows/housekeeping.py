"""Tell what in the data folder nothing needs any more, and remove it if asked to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prefect import flow

from core.progress import say
from flows.home import Home
from flows.keeping import Needless, needless, remove
from flows.lost_runs import end_lost


@dataclass(frozen=True, slots=True)
class Kept:
    """What was found, and how much of it went."""

    found: list[Needless]
    freed: int
    """bytes"""

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {"found": [one.as_json() for one in self.found], "freed": self.freed}


@flow(name="housekeeping", persist_result=False)
def housekeeping(
    home: str = "", days: float = 14, delete: bool = False, cache: float | None = None, only_lost: bool = False
) -> Kept:
    """List what can go and has been untouched for ``days``; remove it only with ``delete``. ``cache``: see `needless`.

    Nothing that a snapshot, a run or the registry holds is ever among it. On a server, runs are ended that nobody works
    on any more; ``only_lost``: nothing else is done.
    """
    end_lost()
    if only_lost:
        return Kept([], 0)
    return keep_house(Home.of(home), days, delete, cache)


def keep_house(home: Home, days: float, delete: bool, cache: float | None = None) -> Kept:
    """The same without Prefect."""
    found, freed = [], 0
    for one in needless(home, days, cache):
        found.append(one)
        if delete:
            freed += remove(one, home, days, cache)
        say(f"{'removed' if delete else 'would remove'} {one.what}, {one.size / 2**20:.1f} MB: {one.path} ({one.why})")
    return Kept(found, freed)


if __name__ == "__main__":
    from flows.console import live_progress
    from flows.embedded import start_prefect

    start_prefect(Home.of()).wait()
    with live_progress():
        housekeeping()
