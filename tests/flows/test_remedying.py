"""What `velatura remedy` recommends and trains, from what was measured; how it is typed, and the page of it."""

import json
import math
import shlex
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml
from typer.testing import CliRunner

from core.errors import MissingBase, RecipeError
from core.snapshot import Snapshot
from evaluation.findings import Finding
from evaluation.metric import Measured
from evaluation.remedies.merge import Merge
from evaluation.report import Samples
from evaluation.verdict import Verdict
from flows.commands.remedy import TrainsByDefault, mixes, names_of
from flows.job import Job
from flows.pages.remedies import page
from flows.recipe import read_recipe
from flows.remedying import Remedies, Tried
from flows.retraining import WAYS, Again, Retrained, by_training, chosen
from tests.evaluation.test_report import Reader
from tests.evaluation.test_verdict import copies, drift, result
from tests.flows.pictures import short_recipe

SNAPSHOT = Snapshot(store="/somewhere/store", tag="data-0003", count=12, held_out=3, manifest="ab" * 32)
PROMPTS = ["a dog, asleep", "it's a cat", "a [boat]", "a tree: old", "a house", "a car"]


def verdict(*states: str) -> Verdict:
    findings = tuple(Finding(state, "", (), "") for state in states)  # type: ignore[arg-type]
    return Verdict(states[0], "Words of it.", 10, 10, "", findings)  # type: ignore[arg-type]


def job_of(folder: Path, **changes: object) -> Job:
    return Job(folder / "runs" / "six-k", "k", short_recipe(folder, "pocket", **changes), SNAPSHOT)


def with_adapter(folder: Path, **adapter: object) -> Job:
    return job_of(folder, train={"steps": 90, "adapter": adapter})


def test_a_run_without_held_out_pictures_is_left_as_it_is(tmp_path: Path) -> None:
    unknown = result(math.nan, 0.0)
    tried = [
        Tried(name, kind, verdict("not enough evidence"), {"probe": unknown})
        for name, kind in (("a", ""), ("b", "weaken"))
    ]
    assert Remedies(job_of(tmp_path), 10, tried).best.name == "a"


def test_prior_preservation_is_advised_with_other_prompts_than_drift_is_measured_with(tmp_path: Path) -> None:
    job = job_of(tmp_path, samples={"prior": PROMPTS, "memorisation": 0})
    (words,) = [one.words for one in by_training(job, verdict("drifted"), 0) if one.name == "prior_preservation"]
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(job.recipe.model_dump(mode="json")))
    changed = read_recipe(file, shlex.split(words))
    assert changed.train.class_pictures is not None
    assert [*changed.train.class_pictures.prompts, *changed.samples.prior] == PROMPTS
    assert len(changed.samples.prior) == 4


def test_what_is_typed_and_what_is_trained_are_one_run(tmp_path: Path) -> None:
    job = job_of(tmp_path, samples={"prior": PROMPTS, "memorisation": 0})
    for again in by_training(job, verdict("overfit", "drifted"), 2):
        file = tmp_path / "recipe.yaml"
        file.write_text(yaml.safe_dump(job.recipe.model_dump(mode="json")))
        typed = read_recipe(file, [f"name={again.run_name(job)}", *shlex.split(again.words)])
        trained = again.recipe(job)
        assert trained.model_key("m") == typed.model_key("m") != job.recipe.model_key("m")
        assert trained.snapshot == "data-0003" and trained.home == str(tmp_path) and trained.dataset == "six"


def test_each_finding_has_its_ways_and_what_a_run_has_already_is_not_advised(tmp_path: Path) -> None:
    job = job_of(tmp_path, samples={"prior": PROMPTS})

    def names(*states: str, kept: int = 2) -> set[str]:
        return {one.name for one in by_training(job, verdict(*states), kept)}

    assert names("healthy") == names("underfit") == set()
    assert names("drifted") == {"lower_learning_rate", "prior_preservation"}
    assert names("overfit") == {"fewer_steps", "lower_learning_rate", "lower_rank", "fewer_modules"}
    assert names("memorised", "drifted", kept=4) == set(WAYS) - {"fewer_steps", "frozen_text_encoder"}


@pytest.mark.parametrize(
    ("adapter", "name", "kept"),
    [
        ({"kind": "lora", "rank": 8, "convolutions": True}, "fewer_modules", {"kind": "lora", "convolutions": False}),
        ({"kind": "lora", "rank": 4}, "fewer_modules", {"rank": 4, "ranks": {"down_blocks": 0}}),
        ({"kind": "locon", "rank": 16, "dropout": 0.1}, "fewer_modules", {"kind": "lora", "rank": 16, "dropout": 0.1}),
        ({"kind": "lora", "rank": 8, "alpha": 4}, "lower_rank", {"rank": 4, "alpha": 2}),
        ({"kind": "locon", "rank": 8}, "lower_rank", {"kind": "locon", "rank": 4, "convolution_rank": 2}),
    ],
)
def test_a_smaller_adapter_is_one_that_can_be_trained(
    adapter: dict[str, object], name: str, kept: dict[str, object], tmp_path: Path
) -> None:
    job = with_adapter(tmp_path, **adapter)
    (again,) = chosen(job, 0, [name])
    got = again.recipe(job).train.adapter.dump()
    assert {key: got[key] for key in kept} == kept


def test_what_cannot_be_trained_is_refused_with_what_is_known(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    with pytest.raises(RecipeError, match="there is no lower_rnk; known: fewer_steps, .*prior_preservation"):
        chosen(job, 2, ["lower_rnk"])
    with pytest.raises(RecipeError, match=r"--train prior_preservation: .*samples\.prior has 1 prompts"):
        chosen(job, 2, ["prior_preservation"])
    with pytest.raises(RecipeError, match="its best checkpoint is its last"):
        chosen(job, 4, ["fewer_steps"])
    with pytest.raises(RecipeError, match="textual_inversion has no rank"):
        chosen(with_adapter(tmp_path, kind="textual_inversion", word="qzx"), 4, ["lower_rank"])


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ([], None),
        (["--train"], []),
        (["--train", "--other"], []),
        (["--train", "lower_rank, fewer_steps"], ["lower_rank", "fewer_steps"]),
        (["--train=lower_rank"], ["lower_rank"]),
    ],
)
def test_train_is_typed_with_names_or_without(typed: list[str], names: list[str] | None) -> None:
    app = typer.Typer()

    @app.command(cls=TrainsByDefault)
    def remedy(run: str, train: str = "", other: bool = False) -> None:
        print(json.dumps([run, names_of(train), other]))

    done = CliRunner().invoke(app, ["mine", *typed])
    assert json.loads(done.output) == ["mine", names, "--other" in typed]


def test_shares_of_another_model_are_typed_for_all_blocks_or_for_some(tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.touch()

    def typed(shares: str) -> list[tuple[float, list[dict[str, float]]]]:
        found = mixes(str(other), shares)
        assert all(isinstance(one, Merge) for one in found)
        return [(one.share, [dict(kept) for kept in one.weights]) for one in found if isinstance(one, Merge)]

    assert mixes("", "") == []
    assert typed("") == [(0.5, [])]
    assert typed("0.3,0.5") == [(0.3, []), (0.5, [])]
    assert typed("up_blocks=0.5,down_blocks=0.75") == [(0.5, [{"up_blocks": 0.5, "down_blocks": 0.25}])]
    assert typed("0, up_blocks=1") == [(0.0, [{"up_blocks": 0.0}])]
    for wrong in ("much", "1.5", "nan", "heads=0.5", "up_blocks=0.5,up_blocks=0.6", "up_blocks="):
        with pytest.raises(RecipeError, match="--merge-share"):
            typed(wrong)
    with pytest.raises(RecipeError, match="--merge FILE"):
        mixes("", "0.3")
    with pytest.raises(MissingBase, match="gone"):
        mixes(str(tmp_path / "gone"), "")


def remedies(folder: Path, prompts: int) -> Remedies:
    """One of each verdict, and one that was trained again."""
    job = job_of(folder)

    def measured(learning: float, gap: float) -> dict[str, Measured]:
        return {"probe": result(learning, gap), "memorisation": copies(0.25, 0.1), "prior_drift": drift(0.5)}

    again = Again("lower_rank", "half the <rank>", ("train.adapter.rank=4",))
    tried = [
        Tried("step 300", "", verdict("memorised"), measured(-0.1, 0.8), use="/runs/step-300.safetensors"),
        Tried("strength 0.6", "weaken", verdict("overfit"), measured(0.1, 0.5), use="<lora:NAME:0.6> in a web UI"),
        Tried("step 200", "stop_earlier", verdict("drifted"), measured(0.1, 0.2)),
        Tried("up blocks at 0.5", "merge", verdict("not enough evidence"), {"probe": result(0.1, 0.3, held_out=2)}),
        Tried("the base's text encoder", "replace_text_encoder", verdict("underfit"), measured(0.0, 0.1)),
        Tried(
            "lower rank, step 150",
            "lower_rank",
            verdict("healthy"),
            measured(0.2, 0.1),
            use="/runs/six-lower_rank/weights/six-lower_rank.safetensors",
            retrained=Retrained(again, Job(folder / "r", "l", again.recipe(job), SNAPSHOT), "run"),
            step=150,
        ),
    ]
    rng = np.random.default_rng(1)
    names = ["base", *(one.name for one in tried)]
    pictures = tuple(tuple(rng.integers(0, 255, (64, 64, 3), np.uint8) for _ in names) for _ in range(prompts))
    shown = Samples(
        tuple(f"a red drawing of a shape, number {n} & more" for n in range(prompts)), tuple(names), pictures
    )
    advice = [Again("prior_preservation", "prior preservation", ('train.class_pictures={"prompts": ["a dog"]}',))]
    return Remedies(job, 300, tried, shown, advice, ["drift of all is measured with 4 of 6 prompts"])


@pytest.mark.parametrize("prompts", [2, 8])
def test_the_page_shows_every_network_with_its_verdict_intervals_samples_and_what_to_do(
    prompts: int, tmp_path: Path
) -> None:
    html = page(remedies(tmp_path, prompts), tmp_path / "the recipe.yaml")
    read = Reader(html)
    assert not read.open and all(address.startswith("data:") for address in read.addresses)
    assert read.tags.count("img") == prompts * 7
    for state in ("memorised", "overfit", "drifted", "not", "underfit", "healthy"):
        assert f'class="state {state}"' in html
    for words in (
        "memorised → healthyWhat helps most: lower rank, step 150",
        "six-lower_rank.safetensors",
        "half the <rank>",
        f"velatura run '{tmp_path}/the recipe.yaml' name=six-lower_rank train.adapter.rank=4",
        """'train.class_pictures={"prompts": ["a dog"]}'""",
        "25 %10 % to 100 %",  # copies with their interval
        "Drift of all is measured with 4 of 6 prompts.",
    ):
        assert words in read.text
