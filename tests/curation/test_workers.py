from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from core.record import Reason
from curation.filters.sharpness import Sharpness
from curation.measure import Measured, measured
from curation.reading import Reading
from curation.workers import Workers
from tests.curation import hooks
from tests.curation.conftest import encoded, scene

WHITE = (255, 255, 255)
TRAPS = {
    hooks.FATAL: ("worker_died", "exit code 3"),
    hooks.GREEDY: ("too_much_memory", "memory"),
    hooks.WRONG: ("check_failed", "KeyError"),
}


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers([hooks.Trap(), Sharpness()], Reading(max_pixels=1_000_000, seconds=60)) as workers:
        yield workers


@pytest.mark.parametrize("colour", TRAPS)
def test_a_picture_that_ends_its_worker_costs_only_itself(workers: Workers, colour: tuple[int, int, int]) -> None:
    code, words = TRAPS[colour]
    refused = workers.measure(encoded(np.full((8, 8, 3), colour, np.uint8)))
    assert isinstance(refused, Reason)
    assert refused.code == code
    assert words in refused.words
    assert isinstance(workers.measure(encoded(scene(1))), Measured)


def test_a_picture_that_is_never_done_is_given_up() -> None:
    with Workers([hooks.Trap()], Reading(seconds=1)) as workers:
        refused = workers.measure(encoded(np.full((8, 8, 3), hooks.ENDLESS, np.uint8)))
        assert refused == Reason("took_too_long", "decoding it was stopped after 1 s")
        assert isinstance(workers.measure(encoded(scene(1))), Measured)


def test_a_worker_says_what_this_process_would(workers: Workers) -> None:
    data = encoded(scene(2))
    there, here = workers.measure(data), measured(data, [Sharpness()], WHITE, 1_000_000)
    assert isinstance(there, Measured) and isinstance(here, Measured)
    np.testing.assert_array_equal(there.thumbnail, here.thumbnail)
    assert (there.phash, there.phash_mirrored, there.width) == (here.phash, here.phash_mirrored, here.width)
    assert there.quality == {**here.quality, "trap": 1.0}


def test_large_pictures_and_threads_do_not_mix_up_answers(workers: Workers) -> None:
    sizes = [700, 20, 400, 90, 800, 30, 500, 60]
    rng = np.random.default_rng(0)
    files = [encoded(rng.integers(0, 256, (size, size + 1, 3), np.uint8)) for size in sizes]
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(workers.measure, files))
    assert [answer.width for answer in answers if isinstance(answer, Measured)] == [size + 1 for size in sizes]


def test_a_worker_ends_when_its_parent_is_gone(workers: Workers) -> None:
    assert isinstance(workers.measure(encoded(scene(3))), Measured)
    idle = list(workers._idle.queue)
    assert idle
    process = idle[-1]._process
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(timeout=30) == 0
