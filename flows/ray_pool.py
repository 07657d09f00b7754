"""Work on a Ray cluster as pipelines of Ray Data: parts in order; a machine that dies costs its parts only.

The only home of Ray.
"""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

from core.errors import EngineError, MissingExtra, VelaturaError

T = TypeVar("T")
R = TypeVar("R")

STARTS = 3
"""times that Ray is started on this machine: it gives up after 30 seconds, which a busy machine may need"""
TRIES = 3
"""processes that may be lost over one part before it is blamed for it"""
ROUNDS, WINDOW_BYTES = 8, 256 << 20
"""parts for each process, and their bytes, that are taken at once from those that have no end"""


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


class Pool:
    """A `core.engine.Engine` over the cluster that this process is connected to."""

    apart = True

    def __init__(self, workers: int, gpus: float) -> None:
        self._workers, self._gpus = workers, gpus
        quiet()

    def map(self, work: Callable[[T], R], parts: Iterable[T]) -> Iterator[R]:
        """As `core.engine.Engine.map`: a sequence is one pipeline, anything else one for each `window`."""
        ray = imported()
        there = ray.cluster_resources()
        if there.get("GPU", 0) < self._gpus:
            raise EngineError(f"engine.gpus is {self._gpus:g}, and the Ray cluster has no such GPU; see `ray status`")
        packed = ray.cloudpickle.dumps(work)
        if isinstance(parts, Sequence):
            yield from self._done(packed, [ray.cloudpickle.dumps(part) for part in parts], self._gpus)
            return
        most = ROUNDS * (self._workers or int(there.get("CPU", 1)))
        rest = iter(parts)
        with ThreadPoolExecutor(1) as ahead:
            following = ahead.submit(window, rest, most)
            while now := following.result():
                following = ahead.submit(window, rest, most)
                yield from self._done(packed, now, 0)  # pictures that are decoded: no model, no GPU

    def _done(self, packed: bytes, parts: list[bytes], gpus: float) -> Iterator[Any]:
        """What comes of packed parts, in order."""
        ray = imported()
        from ray.data import ActorPoolStrategy, TaskPoolStrategy, from_items

        if not parts:
            return
        most = min(self._workers or len(parts), len(parts))
        how: dict[str, Any]
        if gpus:  # actors, since a process that has a GPU ends after one task: models would be loaded for each part
            how = {"fn": Work, "fn_constructor_args": (packed,), "num_gpus": gpus, "max_task_retries": TRIES - 1}
            how["compute"] = ActorPoolStrategy(min_size=1, max_size=most)
        else:  # the processes stay for the next pipeline, with what they loaded
            how = {"fn": Work(packed), "compute": TaskPoolStrategy(most), "max_retries": TRIES - 1}
        pipeline = from_items([{"part": part} for part in parts], override_num_blocks=len(parts))
        with warnings.catch_warnings():  # how often a part is tried has no other name yet
            warnings.filterwarnings("ignore", message="`ray_remote_args", category=DeprecationWarning)
            pipeline = pipeline.map_batches(batch_size=1, num_cpus=1, **how)
        try:
            for row in pipeline.iter_rows():
                made = ray.cloudpickle.loads(row["made"])
                if isinstance(made, VelaturaError):
                    raise made
                yield made
        except ray.exceptions.RayTaskError as error:
            raise EngineError(f"work on the Ray cluster failed: {error}") from None
        except ray.exceptions.RayError as error:  # a process or its machine, more often than it is tried again
            words = str(error).strip().splitlines()[0]
            raise EngineError(f"{TRIES} processes of the Ray cluster ended over the same work: {words}") from None


def window(parts: Iterator[Any], most: int) -> list[bytes]:
    """The next parts, packed: at most so many, and not many more than `WINDOW_BYTES`."""
    ray = imported()
    packed: list[bytes] = []
    room = WINDOW_BYTES
    for part in islice(parts, most):
        packed.append(ray.cloudpickle.dumps(part))
        room -= len(packed[-1])
        if room <= 0:
            break
    return packed


class Work:
    """What runs there, as Ray Data calls it: with a batch of one packed part."""

    def __init__(self, packed: bytes) -> None:
        self.packed = packed

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        ray = imported()
        try:
            made = [unpacked(self.packed)(ray.cloudpickle.loads(part)) for part in batch["part"]]
        except VelaturaError as mistake:  # comes back as what it is
            made = [mistake]
        return {"made": [ray.cloudpickle.dumps(one) for one in made]}


@lru_cache(maxsize=1)
def unpacked(packed: bytes) -> Callable[[Any], Any]:
    """The work, which keeps what it loads for the parts that come."""
    return imported().cloudpickle.loads(packed)  # type: ignore[no-any-return]


def quiet() -> None:
    """Ray Data tells nothing, and keeps the order."""
    from ray.data import DataContext

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_no_progress_timeout_s = -1  # pictures that are drawn without a GPU may take an hour each part
