"""A small store, and processes that write to it as independently as two terminals would."""

import multiprocessing
import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A new store: in a folder, or in the bucket that the same tests are run on by `make test-s3`."""
    bucket = os.environ.get("VELATURA_TEST_BUCKET")
    return Store.open(f"{bucket}/{uuid.uuid4().hex}" if bucket else tmp_path / "store")


@pytest.fixture
def in_a_folder() -> None:
    """For tests that look at the store's own files."""
    if os.environ.get("VELATURA_TEST_BUCKET"):
        pytest.skip("looks at files of a store in a folder")


@pytest.fixture(scope="session")
def writers() -> Iterator[ProcessPoolExecutor]:
    """Four processes, started by spawn."""
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="session")
def mortals() -> ForkServerContext:
    """For processes that are killed: LanceDB is imported once for all of them, which takes seconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lancedb", "lance", "store.store"])
    return context
