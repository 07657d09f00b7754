"""What a ladder decides from its rungs, and how it says so; what a look in training may cost."""

from pathlib import Path

from rich.console import Console

from core.snapshot import Snapshot
from evaluation.metrics.probe import Probe
from flows.commands.ladder import told
from flows.curve import LEAST, pause_probe
from flows.job import Job
from flows.keeping import RUNG
from flows.ladder import Climbed, Rung, best_rung, short, turned
from flows.pages.ladder import write_chart
from flows.recipe import Recipe
from tests.evaluation.test_verdict import result
from tests.flows.pictures import short_recipe

SNAPSHOT = Snapshot(store="/somewhere/store", tag="data-0003", count=12, held_out=3, manifest="ab" * 32)


def recipe_of(folder: Path, **changes: object) -> Recipe:
    return short_recipe(folder, "pocket", **changes)


def test_a_ladder_is_climbed_until_it_surely_gets_worse_and_the_lowest_good_rung_is_taken() -> None:
    rungs = [Rung(rate, None, 10, 10, result(learning, 0.0)) for rate, learning in ((1e-5, 0.0), (1e-4, 0.3))]
    assert not turned(rungs) and not turned(rungs[:1])
    level = Rung(3e-4, None, 10, 10, result(0.305, 0.1))
    assert not turned([*rungs, level])
    assert best_rung([*rungs, level]).rate in (1e-4, 3e-4)
    assert turned([*rungs, Rung(1e-3, None, 10, 10, result(0.1, 0.4))])
    assert turned([*rungs, Rung(1e-3, None, 10, 0, None)])


def test_a_rung_is_short_and_draws_nothing(tmp_path: Path) -> None:
    rung = short(recipe_of(tmp_path, train={"steps": 90}), 1e-4, 2)
    assert rung.train.steps == 30 and rung.samples.memorisation == rung.samples.previews == 0
    assert rung.train.optimizer.learning_rate == 1e-4 and rung.train.adapter.rank == 2  # type: ignore[attr-defined]
    assert [metric.kind for metric in rung.metrics] == ["probe"]
    assert rung.name.endswith(RUNG)  # by which housekeeping knows it


def test_a_look_costs_its_share_of_training_and_never_fewer_pictures_than_tell_anything(
    tmp_path: Path,
) -> None:
    def most(**train: object) -> int:
        recipe = recipe_of(tmp_path, train=train)
        return pause_probe(Job(tmp_path, "k", recipe, SNAPSHOT)).most

    assert most(batch_size=2, probe_every=10, steps=100) == LEAST
    assert most(batch_size=8, probe_every=100, steps=400) == 11
    assert most(batch_size=64, probe_every=100, steps=400) == Probe().most


def test_the_chart_and_the_words_say_what_to_take(tmp_path: Path) -> None:
    rungs = [Rung(1e-4, None, 10, 5, result(0.1, 0.0)), Rung(1e-3, None, 10, 10, result(0.3, 0.1))]
    ranks = [Rung(1e-3, 4, 10, 10, result(0.3, 0.1)), Rung(1e-3, 16, 10, 10, None)]
    found = Climbed(recipe_of(tmp_path, train={"steps": 30}), SNAPSHOT, [*rungs, *ranks], ranks[0], 2, "run", "k" * 16)
    page = write_chart(found)
    console = Console(record=True, width=200)
    told(found, page, "mine.yaml", console)
    said, html = console.export_text(), page.read_text()
    assert html.count("<svg") == 4 and "ran away" in html and "Take 0.001, rank 4" in html
    assert "velatura run mine.yaml train.optimizer.learning_rate=0.001 train.adapter.rank=4" in said
    assert "22% of the steps" in said and "2 higher rungs were not needed" in said
