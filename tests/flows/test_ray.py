"""A recipe's engine: Ray on this machine gives what this process gives, and outlives what is lost on the way."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install 'velatura[ray]'")

from core.engine import HERE, Engine
from core.errors import EngineError, StoreError
from flows import stages
from flows.encoding_ahead import encode
from flows.engines.ray import Ray
from flows.job import Job
from flows.material import gather
from flows.ray_pool import Pool
from flows.recipe import check
from store.store import Store
from tests.flows.pictures import SMALL, six_pictures
from tests.store.things import all_rows


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Ray(workers=2).started() as engine:
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
    assert list(pool.map(Doubling(tmp_path), [])) == []


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


def prepared(engine: Engine, home: Path, pictures: Path) -> tuple[Store, Job]:
    """A dataset as `dataset_to_model` prepares it, and the run on it."""
    value = SMALL | {
        "home": str(home),
        "pictures": {"kind": "folder", "path": str(pictures)},
        "filters": ["resolution", "information", "near_duplicate", "outlier"],
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
    return {row["key"]: row["data"] for row in all_rows(store, table)}


def test_a_recipe_gives_the_same_dataset_vectors_and_latents_as_here(pool: Pool, tmp_path: Path) -> None:
    pool.let_go()  # its room is for one hand that loads the networks
    pictures, one_hand = six_pictures(tmp_path / "pictures"), Pool(1, 0)
    (pictures / "broken.png").write_bytes(b"no picture")
    here, job = prepared(HERE, tmp_path / "here", pictures)
    there, same = prepared(one_hand, tmp_path / "there", pictures)
    assert same.snapshot.manifest == job.snapshot.manifest
    assert (same.key, same.metadata()["velatura.manifest"]) == (job.key, job.metadata()["velatura.manifest"])
    assert there.records() == here.records()
    assert there.captions() == here.captions()
    assert arrays(there, "embeddings") == arrays(here, "embeddings")
    encode(same, there, one_hand)
    one_hand.let_go()
    gather(job, here, job.recipe.family.load(device="cpu"))
    for table, least in (("latents", 8), ("text_states", 2)):
        made = arrays(there, table)
        assert len(made) >= least
        assert made.items() <= arrays(here, table).items(), f"other {table}"


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
