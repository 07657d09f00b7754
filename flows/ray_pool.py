"""Work on a Ray cluster: hands that keep what they loaded, parts in order; a machine that dies costs its parts only.

The only home of Ray. Not Ray Data: it wants to see its whole input first, and reading pictures is without end
(docs/decisions.md).
"""

from __future__ import annotations

import logging
import os
import socket
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from core.errors import EngineError, MissingExtra, VelaturaError

T = TypeVar("T")
R = TypeVar("R")

STARTS = 3
"""times that Ray is started on this machine: it gives up after 30 seconds, which a busy machine may need"""
AT_ONCE = 2
"""parts that a hand has: one to work on, one that is on its way"""
TRIES = 3
"""hands that may be lost over one part before it is blamed for it"""
PATIENCE = 300.0
"""seconds without any hand that is ready"""
LOOK = 5.0
"""seconds between two looks at how many machines there are"""


@contextmanager
def cluster(address: str, workers: int) -> Iterator[None]:
    """Be connected to a cluster, or have one on this machine; an `EngineError` where none answers."""
    ray = imported()
    check_answers(address)
    if ray.is_initialized():  # by whoever calls us, who also ends it
        yield
        return
    how: dict[str, Any] = {"address": address} if address else {"num_cpus": workers or None, "include_dashboard": False}
    for attempt in range(STARTS):
        try:
            with warnings.catch_warnings():  # of LanceDB, about forks: what is forked becomes another program at once
                warnings.filterwarnings("ignore", message="lancedb fork support")
                ray.init(**how, log_to_driver=False, logging_level=logging.ERROR)
            break
        except Exception as error:  # Ray raises nearly anything, a bare Exception where it was too slow to start
            ray.shutdown()
            if address or attempt == STARTS - 1:
                told = (str(error).strip() or type(error).__name__).splitlines()[0]
                raise EngineError(
                    f"engine: Ray {f'at {address}' if address else 'cannot be started'}: {told}"
                ) from error
    try:
        yield
    finally:
        ray.shutdown()


def imported() -> Any:
    """Ray; `MissingExtra` where it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise MissingExtra("engine: ray needs a package that is not installed: pip install 'velatura[ray]'") from None
    return ray


def check_answers(address: str) -> None:
    """`EngineError` within seconds where nothing listens there; Ray itself would try for a minute."""
    host, colon, port = address.rpartition(":")
    if not colon or "//" in address or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        raise EngineError(
            f"engine.address: no Ray cluster answers at {address} ({error.strerror or error}); "
            "start one with `ray start --head`, or write `engine: local`"
        ) from None


class _Actor:
    """What runs there: one process that keeps what it loaded, whatever work it is given next."""

    def __init__(self) -> None:
        self._work: Callable[[Any], Any] | None = None

    def take(self, work: list[Any]) -> None:
        """Unpack the work: here, so that a mistake in it comes back as what it is."""
        ray = imported()
        self._work = ray.cloudpickle.loads(ray.get(work[0]))

    def do(self, part: Any) -> Any:
        """One part."""
        assert self._work is not None, "a part was given before its work"
        return self._work(part)


@dataclass(eq=False, slots=True)
class Hand:
    """A process of the cluster, as it is seen from here."""

    actor: Any
    ready: bool = False
    """whether it has the present work"""
    parts: int = 0


class Pool:
    """A `core.engine.Engine` over the cluster that this process is connected to."""

    apart = True

    def __init__(self, workers: int, gpus: float) -> None:
        self._workers, self._gpus = workers, gpus
        self.hands: list[Hand] = []

    def map(self, work: Callable[[T], R], parts: Iterable[T]) -> Iterator[R]:
        """As `core.engine.Engine.map`; the processes stay for the next work."""
        return _Run[T, R](self, work, parts).results()

    def raise_hands(self) -> list[Hand]:
        """New processes, if the cluster has room for more than there are: machines may come and go."""
        ray = imported()
        there = ray.cluster_resources()
        most = int(there.get("GPU", 0) / self._gpus) if self._gpus else int(there.get("CPU", 1))
        how = {"num_cpus": 1, "num_gpus": self._gpus, "max_restarts": 0}
        count = max(1, min(most, self._workers or most)) - len(self.hands)
        new = [Hand(ray.remote(**how)(_Actor).remote()) for _ in range(count)]
        self.hands += new
        return new

    def let_go(self) -> None:
        """End all processes, whatever they do."""
        ray = imported()
        for hand in self.hands:
            ray.kill(hand.actor)
        self.hands = []


class _Run(Generic[T, R]):
    """One `Pool.map`: which parts are where."""

    def __init__(self, pool: Pool, work: Callable[[T], R], parts: Iterable[T]) -> None:
        self._pool, self._work, self._parts = pool, work, enumerate(parts)
        self._flying: dict[Any, tuple[Hand, int, Any]] = {}
        """reference -> (hand, number of the part or -1 where it takes the work, reference of the part)"""
        self._again: deque[tuple[int, Any]] = deque()
        self._lost: Counter[int] = Counter()
        self._done: dict[int, R] = {}
        self._next = 0
        self._ended = False

    def results(self) -> Iterator[R]:
        """In the order of the parts."""
        ray = imported()
        first = next(self._parts, None)
        if first is None:
            return
        self._again.append((first[0], ray.put(first[1])))
        shipped = ray.put(ray.cloudpickle.dumps(self._work))
        self._pool.raise_hands()
        for hand in self._pool.hands:
            self._give_work(hand, shipped)
        try:
            yield from self._ordered(shipped)
        except BaseException:
            self._pool.let_go()  # they may still be at parts that nobody waits for
            raise

    def _ordered(self, shipped: Any) -> Iterator[R]:
        ray = imported()
        looked = lived = time.monotonic()
        while True:
            self._give_out()
            if self._ended and not self._again and not any(number >= 0 for _, number, _ in self._flying.values()):
                return
            ready, _ = ray.wait(list(self._flying), num_returns=1, timeout=1.0)
            for reference in ready:
                self._take(reference)
            while self._next in self._done:
                yield self._done.pop(self._next)
                self._next += 1
            now = time.monotonic()
            lived = now if any(hand.ready for hand in self._pool.hands) else lived
            if now - lived > PATIENCE:
                raise EngineError(f"no machine of the Ray cluster had room for {PATIENCE:.0f} s; see `ray status`")
            if now - looked > LOOK or not self._pool.hands:
                looked = now
                for hand in self._pool.raise_hands():
                    self._give_work(hand, shipped)

    def _give_work(self, hand: Hand, shipped: Any) -> None:
        hand.ready, hand.parts = False, 0
        self._flying[hand.actor.take.remote([shipped])] = hand, -1, None

    def _give_out(self) -> None:
        """Parts to those who have fewest, lost ones first, and not too far ahead of what is waited for."""
        ray = imported()
        hands = self._pool.hands
        while free := [hand for hand in hands if hand.ready and hand.parts < AT_ONCE]:
            if self._again:
                number, part = self._again.popleft()
            elif self._ended or len(self._flying) + len(self._done) > 4 * AT_ONCE * len(hands):
                return
            else:
                following = next(self._parts, None)
                if following is None:
                    self._ended = True
                    return
                number, part = following[0], ray.put(following[1])
            hand = min(free, key=lambda one: one.parts)
            hand.parts += 1
            self._flying[hand.actor.do.remote(part)] = hand, number, part

    def _take(self, reference: Any) -> None:
        """What a hand answered, or that it is gone."""
        ray = imported()
        hand, number, part = self._flying.pop(reference)
        try:
            answer = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            raise cause_of(error) from None
        except ray.exceptions.RayError as error:  # the process, its machine, or what it had answered
            self._again_elsewhere(hand, number, part, error)
            return
        if number < 0:
            hand.ready = True
            return
        hand.parts -= 1
        self._done[number] = answer

    def _again_elsewhere(self, hand: Hand, number: int, part: Any, error: Exception) -> None:
        if hand in self._pool.hands:
            self._pool.hands.remove(hand)
        if number >= 0:
            self._again.append((number, part))
        self._lost[number] += 1
        if self._lost[number] >= (TRIES if number >= 0 else 8 * TRIES):
            words = str(error).strip().splitlines()[0]
            raise EngineError(f"{self._lost[number]} processes of the Ray cluster ended over the same work: {words}")


def cause_of(error: Any) -> Exception:
    """A user's mistake as it was raised over there; anything else as Ray tells it, with the trace."""
    cause = error.cause
    return cause if isinstance(cause, VelaturaError) else EngineError(f"work on the Ray cluster failed: {error}")
