"""A dataset prepared by one engine or another, small enough for a test; and an engine that is elsewhere, but cheap."""

import pickle
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from core.engine import Engine
from flows import stages
from flows.job import Job
from flows.recipe import check
from store.store import Store
from tests.flows.pictures import SMALL
from tests.store.things import all_rows

T = TypeVar("T")
R = TypeVar("R")


class Elsewhere:
    """Everything goes there and back as it does between processes; only the process is the same."""

    apart = True

    def map(self, work: Callable[[T], R], parts: Iterable[T]) -> Iterator[R]:
        there = pickle.loads(pickle.dumps(work))
        for part in parts:
            yield pickle.loads(pickle.dumps(there(pickle.loads(pickle.dumps(part)))))


def prepared(engine: Engine, home: Path, pictures: Path, *more: str) -> tuple[Store, Job]:
    """A dataset as `dataset_to_model` prepares it, and the run on it; ``more``: filters."""
    value = SMALL | {
        "home": str(home),
        "pictures": {"kind": "folder", "path": str(pictures)},
        "filters": ["resolution", "information", "near_duplicate", *more],
        "augment": {"transforms": ["flip"]},
    }
    recipe = check(value, "test")
    store = stages.open_store(recipe)
    stages.read_pictures(recipe, store, engine)
    stages.embed_pictures(recipe, store, engine)
    stages.choose_pictures(recipe, store)
    stages.write_captions(recipe, store, engine)
    stages.make_pictures(recipe, store, engine)
    return store, stages.prepare_job(recipe, store.snapshot())


def arrays(store: Store, table: str) -> dict[str, bytes]:
    """Key -> bytes of a cache's arrays."""
    return {row["key"]: row["data"] for row in all_rows(store, table)}
