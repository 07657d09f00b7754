"""What `velatura remedy` recommends, from what was measured."""

import math
import shlex
from pathlib import Path

import yaml

from core.snapshot import Snapshot
from evaluation.findings import Finding
from evaluation.verdict import Verdict
from flows.job import Job
from flows.recipe import read_recipe
from flows.remedying import Remedies, Tried, by_training
from tests.evaluation.test_verdict import result
from tests.flows.pictures import short_recipe

SNAPSHOT = Snapshot(store="/somewhere/store", tag="data-0003", count=12, held_out=3, manifest="ab" * 32)


def verdict(*states: str) -> Verdict:
    findings = tuple(Finding(state, "", (), "") for state in states)  # type: ignore[arg-type]
    return Verdict(states[0], "", 10, 10, "", findings)  # type: ignore[arg-type]


def test_a_run_without_held_out_pictures_is_left_as_it_is(tmp_path: Path) -> None:
    unknown = result(math.nan, 0.0)
    tried = [
        Tried(name, kind, verdict("not enough evidence"), {"probe": unknown})
        for name, kind in (("a", ""), ("b", "weaken"))
    ]
    job = Job(tmp_path, "k", short_recipe(tmp_path, "pocket"), SNAPSHOT)
    assert Remedies(job, 10, tried, b"").best.name == "a"


def test_prior_preservation_is_advised_with_other_prompts_than_drift_is_measured_with(tmp_path: Path) -> None:
    prompts = ["a dog, asleep", "it's a cat", "a [boat]", "a tree: old", "a house", "a car"]
    recipe = short_recipe(tmp_path, "pocket", samples={"prior": prompts, "memorisation": 0})
    job = Job(tmp_path, "k", recipe, SNAPSHOT)
    change = dict(by_training(job, verdict("drifted"), 0))
    (words,) = [words for why, words in change.items() if "prior preservation" in why]
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    changed = read_recipe(file, shlex.split(words))
    assert changed.train.class_pictures is not None
    assert [*changed.train.class_pictures.prompts, *changed.samples.prior] == prompts
    assert len(changed.samples.prior) == 4
