"""How networks are looked at, on the pocket base."""

from contextlib import nullcontext
from pathlib import Path

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
from scripts.demo import PICTURES, drawing
from tests.flows.pictures import SMALL, short_recipe, six_pictures

SAMPLES = 12


def bench_in(folder: Path, **changes: object) -> Bench:
    """Of the pictures in ``folder``."""
    samples = SMALL["samples"] | {"memorisation": SAMPLES}  # type: ignore[operator]
    recipe = short_recipe(folder, "pocket", samples=samples, filters=[], **changes)
    store = stages.open_store(recipe)
    with store.writer():
        stages.read_pictures(recipe, store)
        stages.choose_pictures(recipe, store)
        stages.write_captions(recipe, store)
        job = stages.prepare_job(recipe, store.snapshot())
    backbone = recipe.family.load(device="cpu")
    return bench_of(job, store, backbone, gather(job, store, backbone))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("bench")
    six_pictures(folder / "pictures")
    return bench_in(folder)


@pytest.mark.parametrize("shift", [0, 1])
def test_a_report_is_told_of_captions_that_were_mixed_up(tmp_path: Path, shift: int) -> None:
    names = list(PICTURES)[:20]
    (tmp_path / "pictures").mkdir()
    for name, said in zip(names, names[shift:] + names[:shift], strict=True):
        (tmp_path / "pictures" / f"{name}.png").write_bytes(drawing(PICTURES[name]))
        (tmp_path / "pictures" / f"{name}.txt").write_text(f"an emoji of {said.replace('-', ' ')}")
    doubt = bench_in(tmp_path, captioner={"kind": "sidecar"}).doubt_of_captions()
    assert bool(doubt) == bool(shift)


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
