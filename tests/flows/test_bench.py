"""How networks are looked at, on the pocket base."""

from contextlib import nullcontext

import numpy as np
import pytest

from backbones.backbone import Backbone
from core.pixels import Pixels
from evaluation.candidate import Candidate
from evaluation.metrics.memorisation import Memorisation, MemorisationResult
from flows import stages
from flows.bench import MORE, Bench
from flows.judging import bench_of
from flows.material import gather
from flows.nearest_pairs import nearest_of
from tests.flows.pictures import SMALL, short_recipe, six_pictures

SAMPLES = 12


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("bench")
    six_pictures(folder / "pictures")
    samples = SMALL["samples"] | {"memorisation": SAMPLES}  # type: ignore[operator]
    recipe = short_recipe(folder, "pocket", samples=samples)
    store = stages.open_store(recipe)
    with store.writer():
        stages.read_pictures(recipe, store)
        stages.choose_pictures(recipe, store)
        stages.write_captions(recipe, store)
        job = stages.prepare_job(recipe, store.snapshot())
    backbone = recipe.family.load(device="cpu")
    return bench_of(job, store, backbone, gather(job, store, backbone))


def copier(bench: Bench, copies: int) -> tuple[Candidate, list[int]]:
    """A network whose first so many samples are a training picture, and the seeds that it was asked for."""
    asked: list[int] = []

    def draw(backbone: Backbone, prompt: str, seed: int) -> Pixels:
        asked.append(seed)
        if len(asked) <= copies:
            return bench.real["train"].pixels[0]
        return np.random.default_rng(seed).integers(0, 255, (64, 64, 3), np.uint8)

    return Candidate(f"copies {copies}", f"copies {copies}", lambda _: nullcontext(), draw=draw), asked


@pytest.mark.parametrize(("copies", "looked_through"), [(0, SAMPLES), (2, MORE * SAMPLES), (SAMPLES, SAMPLES)])
def test_more_samples_are_drawn_only_where_copies_are_in_doubt(bench: Bench, copies: int, looked_through: int) -> None:
    candidate, asked = copier(bench, copies)
    found = bench.measured(candidate, [Memorisation()])["memorisation"]
    assert isinstance(found, MemorisationResult)
    assert found["copy_rate"].value == pytest.approx(copies / looked_through)
    assert len(asked) == len(set(asked)) == len(found.pairs) == looked_through  # the first ones are not drawn again
    nearest = nearest_of(bench, {"memorisation": found}, candidate)
    assert len(asked) == looked_through
    shown = [np.array_equal(one.sample, bench.real["train"].pixels[0]) for one in nearest]
    assert sum(shown) == copies == sum(one.copied for one in nearest)
