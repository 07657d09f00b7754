"""`velatura evaluate` as it is typed: any file, any pictures, no run of ours."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from backbones.family import family_of
from core.errors import RecipeError, SourceError
from flows.command_line import app
from flows.commands.evaluate import ALL, chosen
from flows.evaluation_data import from_files
from flows.run_choice import folder_of
from tests.backbones.tiny import make_sd15
from tests.flows.pictures import six_pictures
from training.adapter import Adapter

FEW = ["--samples", "2", "--measures", "probe,prior_drift,which_part,distribution"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    six_pictures(folder / "pictures", 12)
    make_sd15(folder / "base", layers=1)  # a tiny one: what it answers is all the same here
    return folder


def adapter(folder: Path) -> Path:
    """A LoRA file that moved away from the base by chance."""
    attached = (kind := Adapter.parse({"kind": "lora", "rank": 2})).attach(family_of(str(folder / "base")).load())
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in (parameter for group in attached.groups for parameter in group.parameters):
            parameter += 0.1 * torch.randn(parameter.shape, generator=rng)
    attached.export(folder / "weights", {})
    attached.detach()
    return folder / "weights" / kind.files["weights"]


def typed(*words: str) -> dict[str, object]:
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    said: dict[str, object] = json.loads(done.stdout[done.stdout.index("{") :])
    return said


def test_any_adapter_is_looked_at_with_any_pictures(folder: Path) -> None:
    for number, path in enumerate(sorted((folder / "pictures").iterdir())):
        side = folder / ("known" if number < 6 else "new")
        side.mkdir(exist_ok=True)
        (side / path.name).write_bytes(path.read_bytes())
    (folder / "new" / "leaked.png").write_bytes((folder / "known" / "shape-00.png").read_bytes())
    page = folder / "report.html"
    words = ["evaluate", "--adapter", str(adapter(folder)), "--data", str(folder / "known"), *FEW]
    words += ["--base", str(folder / "base")]
    words += ["--held-out", str(folder / "new"), "--prior", "a dog", "--home", str(folder / "data"), "--out", str(page)]
    said = typed(*words)
    assert (said["train"], said["held_out"]) == (6, 6), "a copy of a trained picture is not held out"
    figures = said["figures"]
    assert isinstance(figures, dict) and {
        "probe/learning",
        "prior_drift/relative",
        "distribution/change",
    } <= set(figures)
    assert said["lacking"] == {"which_part": "the text encoder was not trained"}
    assert "leaked.png is left out" in page.read_text()
    again = typed(*words)
    assert again["figures"] == figures


def test_what_is_not_there_is_told(folder: Path) -> None:
    with pytest.raises(SourceError, match="neither a folder nor an archive"):
        from_files("/nowhere", "", str(folder / "data"), trigger="", base="pocket")
    with pytest.raises(RecipeError, match="there is no prob"):
        chosen("prob")
    assert chosen("strength") == ["probe", "strength"] and chosen("all") == list(ALL)
    with pytest.raises(RecipeError, match="has no run"):
        folder_of("nothing", str(folder / "data"))
