"""A short share of `python -m benchmarks.kills`: kill -9 at seeded moments of the command that a user types."""

from pathlib import Path

import yaml

from benchmarks.kills import disturbed, undisturbed
from tests.flows.pictures import SMALL, six_pictures


def test_a_run_that_was_killed_ends_with_the_same_manifest_and_the_same_weights(tmp_path: Path) -> None:
    recipe = tmp_path / "six.yaml"
    pictures = {"kind": "folder", "path": str(six_pictures(tmp_path / "pictures", 8))}
    train = {"steps": 12, "batch_size": 2, "checkpoint_every": 3, "probe_every": 6}
    augment = {"transforms": ["color_skew"]}
    recipe.write_text(yaml.safe_dump(SMALL | {"pictures": pictures, "train": train, "augment": augment}))
    truth, seconds = undisturbed(recipe, tmp_path / "undisturbed")
    end = disturbed(recipe, tmp_path / "disturbed", seconds, kills=2, seed=1)
    assert end.kills > 0
    assert (end.manifest, end.weights) == (truth.manifest, truth.weights)
