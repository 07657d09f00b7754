"""Notice that a source has changed, and wait until it has come to rest. Knows neither Prefect nor MLflow."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from core.errors import VelaturaError
from core.hashing import digest, digest_of_lines
from core.progress import say
from curation.source import Source
from flows.noticing import Noticing

PATIENCE = 10
"""times `quiet`: a source that never comes to rest is read all the same after that long"""
SELDOM = 60.0
"""seconds between two looks where changes are told: what the kernel does not tell (links to elsewhere) is seen then"""
LONGEST = 3600.0
"""seconds between two tries of what fails again and again"""


def listing(source: Source) -> str:
    """A digest of all that can be told of a source without reading a picture: names, sizes, dates, captions.

    It works for every kind of source, so S3 is watched by listing it, and a new caption counts as a change too.
    `SourceError` where the source is not there.
    """
    return digest_of_lines(
        digest(one.name, one.uri, one.size, one.mtime_ns, one.caption, sorted(one.tags), one.weight, one.licence)
        for one in source.pictures()
    )


@dataclass
class Settling:
    """Tells when a change has come to rest: unchanged for ``quiet`` seconds, or changing for too long."""

    quiet: float
    known: str = ""
    """the listing that was dealt with last"""
    _seen: str = field(default="", init=False)
    _since: float = field(default=0.0, init=False)
    _began: float | None = field(default=None, init=False)

    def settled(self, seen: str, now: float) -> bool:
        """Whether it is time to deal with ``seen``, the listing at ``now`` (seconds of any clock)."""
        if seen == self.known:
            self._began = None
            return False
        if self._began is None:
            self._began = now
        if seen != self._seen:
            self._seen, self._since = seen, now
        return now - self._since >= self.quiet or now - self._began >= PATIENCE * self.quiet

    @property
    def changing(self) -> bool:
        """Whether something has changed that was not dealt with yet."""
        return self._began is not None

    def done(self, seen: str) -> None:
        """``seen`` has been dealt with; what came meanwhile is the next change."""
        self.known, self._began = seen, None


@dataclass
class Watch:
    """Looks at a source again and again, and acts when it has changed and come to rest."""

    source: Source
    act: Callable[[], float | None]
    """deals with the change; seconds after which it wants to be called again without one, or None"""
    every: float
    """seconds between two looks"""
    quiet: float
    known: str = ""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    noticing: Noticing | None = None
    """tells of a change as it happens, so that looks can be rare where nothing changes; None: all looks are `every`"""
    _due: float = field(default=math.inf, init=False)
    _failures: int = field(default=0, init=False)
    _told: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self.settling = Settling(self.quiet, self.known)

    def forever(self) -> None:
        """Until something from outside ends it."""
        while True:
            self.look()
            self.rest()

    def rest(self) -> None:
        """Until the next look: soon, or where nothing is on its way when something changes, or after `SELDOM`."""
        if self.noticing is None or self.settling.changing or self._failures:
            self.sleep(self.every)
        else:
            self.noticing.wait(max(min(SELDOM, self._due - self.clock()), self.every))

    def until_quiet(self) -> None:
        """Deal with the change that there is, if there is one; return when nothing is left to wait for."""
        self._look()
        while self.settling.changing:
            self.sleep(self.every)
            self._look()

    def look(self) -> bool:
        """One look; whether it acted. What goes wrong is told and tried again, each time after twice as long."""
        if self._failures and self.clock() < self._due:
            return False
        try:
            acted = self._look()
        except VelaturaError as error:
            self._failures += 1
            wait = min(self.every * 2**self._failures, LONGEST)
            self._due = self.clock() + wait
            if str(error) != self._told:
                say(f"{type(error).__name__}: {error}; tried again in {wait:.0f} s, and less often after that")
            self._told = str(error)
            return False
        self._failures, self._told = 0, ""
        return acted

    def _look(self) -> bool:
        now = self.clock()
        seen = listing(self.source)  # before acting: what comes meanwhile is the next change
        if not self.settling.settled(seen, now) and now < self._due:
            return False
        again = self.act()
        self._due = math.inf if again is None else self.clock() + again
        self.settling.done(seen)
        return True
