"""What the store's tests store, and what their other processes do; without pytest, so that those start fast."""

from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from core.caption import Caption
from core.hashing import sha256_of
from core.record import Record
from core.snapshot import Snapshot
from store.image import Image
from store.store import Store


def an_image(number: int, size: int = 1000) -> Image:
    data = f"picture {number} ".encode().ljust(size, b".")
    return Image(sha256_of(data), data, "image/png", 8, 6)


def a_record(number: int, **fields: Any) -> Record:
    sha256, name = an_image(number).sha256, f"{number}.png"
    plain = Record(Record.id_of("test", name, sha256), sha256, "test", name, f"/pictures/{name}", width=8, height=6)
    return replace(plain, **fields)


def a_caption(number: int, **fields: Any) -> Caption:
    return replace(Caption(a_record(number).id, f"number {number}", {"number": 0.5}, "engine-1"), **fields)


def write_everything(uri: str, start: int) -> int:
    """Store the same 60 things as the other processes do, in another order and in several commits."""
    store = Store.open(uri)
    numbers = [(start + number) % 60 for number in range(60)]
    new = 0
    for part in (numbers[:25], numbers[25:50], numbers[50:]):
        new += store.put_images(an_image(number) for number in part)
        store.put_records(a_record(number) for number in part)
        store.put_captions(a_caption(number) for number in part)
        store.cache("embeddings").put({f"key-{number}": np.full(4, number, np.float32) for number in part})
    return new


def put_singly(uri: str, keys: list[str]) -> None:
    """One commit for each key, so that small files are joined while the others write."""
    cache = Store.open(uri).cache("latents")
    for key in keys:
        cache.put({key: np.zeros(3, np.float16)})


def ingest_in_steps(uri: str, steps: Connection | None = None) -> Snapshot:
    """A run as the flows do it: pictures, records and captions in batches, a snapshot in between, verdicts after.

    Each of its 15 steps is announced before it is taken.
    """
    store = Store.open(uri)

    def step() -> Store:
        if steps is not None:
            steps.send("step")
        return store

    with store.writer():
        for first in range(0, 40, 10):
            numbers = range(first, first + 10)
            step().put_images(an_image(number) for number in numbers)
            step().put_records(a_record(number) for number in numbers)
            step().put_captions(a_caption(number) for number in numbers)
            if first == 10:
                step().snapshot()
        verdicts = [a_record(number, verdict="refused" if number % 7 == 0 else "kept") for number in range(40)]
        step().put_records(verdicts)
        return step().snapshot()


def make_store(uri: str, announces: Connection) -> None:
    """Make an empty store, announced before."""
    announces.send("making")
    Store.open(uri)


def hold_writer(uri: str, ready: Connection) -> None:
    """Be the writer until the parent says so, or kills."""
    with Store.open(uri).writer():
        ready.send("held")
        ready.recv()


def wait_for_writer(uri: str, said: Connection) -> None:
    """Wait to be the writer and pass on what is said meanwhile."""
    with Store.open(uri).writer(said.send):
        said.send("held")


def all_rows(store: Store, table: str) -> list[dict[str, Any]]:
    """The bare rows of a table, to see duplicates that a dict by key would hide."""
    columns = [name for name in store._tables[table].schema.names if table != "images" or name != "data"]
    rows: list[dict[str, Any]] = store._tables[table].dataset().to_table(columns=columns).to_pylist()
    return rows


def files_of(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}
