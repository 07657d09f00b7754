"""A recipe's engine: Ray on this machine gives what this process gives, and outlives what is lost on the way."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install 'velatura[ray]'")

from core.engine import HERE
from core.errors import EngineError, StoreError
from flows.engines.ray import Ray
from flows.ray_pool import Pool
from store.store import Store
from tests.flows.engines import prepared
from tests.flows.pictures import six_pictures


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with ExitStack() as stack:
        try:
            engine = stack.enter_context(Ray(workers=2).started())
        except EngineError as error:
            if "timed out during startup" not in str(error):
                raise
            pytest.skip("Ray did not start within its 30 seconds, three times: this machine is too busy")
        assert isinstance(engine, Pool)
        yield engine


class Doubling:
    """Work that ends its process, or fails, where it is told to."""

    def __init__(self, marks: Path, dies_at: int = -1, fails_at: int = -1, always: bool = False) -> None:
        self.marks, self.dies_at, self.fails_at, self.always = marks, dies_at, fails_at, always

    def __call__(self, number: int) -> int:
        if number == self.fails_at:
            raise StoreError("this machine does not see the store")
        if number == self.dies_at and (self.always or not (self.marks / "died").exists()):
            (self.marks / "died").write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.002 * (number % 3))
        return 2 * number


def test_results_come_in_order_though_a_process_is_killed_on_the_way(pool: Pool, tmp_path: Path) -> None:
    assert list(pool.map(Doubling(tmp_path, dies_at=17), iter(range(40)))) == [2 * n for n in range(40)]
    assert (tmp_path / "died").exists()
    assert list(pool.map(Doubling(tmp_path), list(range(40)))) == [2 * n for n in range(40)]
    assert list(pool.map(Doubling(tmp_path), [])) == []


def test_gpus_that_a_cluster_lacks_are_told_at_once(pool: Pool) -> None:
    with pytest.raises(EngineError, match="engine.gpus is 4096, and the Ray cluster has no such GPU"):
        list(Pool(2, 4096).map(len, ["part"]))


def test_nothing_is_printed(pool: Pool, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert list(pool.map(Doubling(tmp_path), iter(range(3)))) == [0, 2, 4]
    assert capfd.readouterr() == ("", "")


def test_parts_are_taken_as_there_is_room_for_them(pool: Pool, tmp_path: Path) -> None:
    taken = 0

    def without_end() -> Iterator[int]:
        nonlocal taken
        while True:
            yield taken
            taken += 1

    results = pool.map(Doubling(tmp_path), without_end())
    assert [next(results) for _ in range(5)] == [0, 2, 4, 6, 8]
    assert taken < 40
    results.close()  # type: ignore[attr-defined]


def test_a_mistake_over_there_is_told_as_what_it_is(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not see the store"):
        list(pool.map(Doubling(tmp_path, fails_at=3), range(9)))


def test_a_part_that_ends_each_process_is_blamed_for_it(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="processes of the Ray cluster ended over the same work"):
        list(pool.map(Doubling(tmp_path, dies_at=0, always=True), [0]))


def test_a_recipe_gives_the_same_dataset_as_here(pool: Pool, tmp_path: Path) -> None:
    pictures = six_pictures(tmp_path / "pictures")
    (pictures / "broken.png").write_bytes(b"no picture")
    here, job = prepared(HERE, tmp_path / "here", pictures)
    there, same = prepared(pool, tmp_path / "there", pictures)
    assert (same.key, same.snapshot.manifest) == (job.key, job.snapshot.manifest)
    assert there.records() == here.records()
    assert there.captions() == here.captions()


def test_a_store_that_a_machine_does_not_see_is_not_made_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not see the store"):
        Store.again(str(tmp_path / "elsewhere"))
    assert not (tmp_path / "elsewhere").exists()


def test_an_address_where_nothing_listens_is_told_at_once() -> None:
    began = time.monotonic()
    with (
        pytest.raises(EngineError, match="no Ray cluster answers at 127.0.0.1:9"),
        Ray(address="127.0.0.1:9").started(),
    ):
        pass
    assert time.monotonic() - began < 10
