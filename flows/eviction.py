"""Which cached latents and text states can go: those beyond a size that no run holds, the oldest first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from core.cache import Touched
from core.files import write_text
from flows.dataset_choice import dataset_names
from flows.home import Home
from flows.job import Job
from store.store import Store
from store.tables import CacheName

EVICTED: tuple[CacheName, ...] = ("latents", "text_states")
"""embeddings stay: a snapshot's pictures were judged by them, and they are a hundredth of the size"""


def hold(job: Job, touched: Mapping[CacheName, Touched]) -> None:
    """Write into the run's folder which arrays it works with: while that folder is there, they stay."""
    before = held_by(job) or {}
    now = {table: sorted(set(before.get(table, ())) | one.keys) for table, one in touched.items()}
    if now != before:
        write_text(job.held, json.dumps(now))


def held_by(job: Job) -> dict[str, list[str]] | None:
    """Keys by table; None where the run has not said it."""
    try:
        return dict(json.loads(job.held.read_text()))
    except (OSError, ValueError):
        return None


def held(home: Home, store: str) -> dict[str, set[str]] | None:
    """All that runs on this store hold, by table; None where one of them has not said, or cannot be read."""
    found: dict[str, set[str]] = {table: set() for table in EVICTED}
    for file in sorted((home.root / "runs").glob("*/job.json")):
        job = Job.readable(file.parent)
        if job is None:
            return None
        if job.snapshot.store != store:
            continue
        own = held_by(job)
        if own is None and job.training.exists():
            return None
        for table, keys in (own or {}).items():
            found[table].update(keys)
    return found


def surplus(home: Home, most: float, *, only: str = "", delete: bool = False) -> Iterator[tuple[str, int, int]]:
    """(dataset, arrays, bytes) of what can go, or went, where a dataset's caches have more than ``most`` gigabytes."""
    for name in [only] if only else dataset_names(home):
        store = Store.open(home.store(name))
        known = held(home, store.uri)
        if known is None:
            continue
        count, size = store.evict({table: known[table] for table in EVICTED}, int(most * 2**30), delete=delete)
        if count:
            yield name, count, size
