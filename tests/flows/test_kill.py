"""Ctrl-C, and a short share of `python -m benchmarks.kills`: kill -9 at a seeded moment of the typed command."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import yaml

from benchmarks.kills import disturbed, undisturbed
from tests.flows.pictures import SMALL, six_pictures

ROOT = Path(__file__).parents[2]


def test_a_run_that_was_interrupted_and_killed_ends_with_the_same_manifest_and_the_same_weights(tmp_path: Path) -> None:
    recipe = tmp_path / "six.yaml"
    pictures = {"kind": "folder", "path": str(six_pictures(tmp_path / "pictures", 8))}
    train = {"steps": 24, "batch_size": 2, "checkpoint_every": 5, "probe_every": 12}
    augment = {"transforms": ["color_skew"]}
    recipe.write_text(yaml.safe_dump(SMALL | {"pictures": pictures, "train": train, "augment": augment}))
    truth, seconds = undisturbed(recipe, tmp_path / "undisturbed")
    told = interrupted_while_it_trains(recipe, tmp_path / "disturbed")
    assert told[-1] == "interrupted; the same command goes on where it stopped"
    assert "Traceback" not in "\n".join(told)
    assert "a checkpoint was saved" in next((tmp_path / "disturbed").glob("runs/*/trainer.log")).read_text()
    end = disturbed(recipe, tmp_path / "disturbed", seconds, kills=1, seed=1)
    assert end.kills > 0
    assert (end.manifest, end.weights) == (truth.manifest, truth.weights)


def interrupted_while_it_trains(recipe: Path, home: Path) -> list[str]:
    """What the command says until Ctrl-C, as a terminal sends it, has ended it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.command_line", "run", str(recipe)],
        cwd=ROOT,
        env={**os.environ, "VELATURA_DATA": str(home)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  background jobs ignore it
    )
    assert process.stderr is not None
    told = []
    for line in process.stderr:
        told.append(line.strip())
        if line.startswith("training: 24 to do"):
            os.killpg(process.pid, signal.SIGINT)
    assert process.wait() == 130
    return told
