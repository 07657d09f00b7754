"""Other trainers' configurations, with the keys that they have as their projects publish them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from core.errors import ExportError, RecipeError
from flows.command_line import app
from flows.recipe import Recipe, read_recipe
from tests.flows.peer_configs import EASY, GUI, HCP, HCP_BASE, NAIFU, SCRIPTS


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "5_sks dog"
    folder.mkdir(parents=True)
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 255, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text("a dog")
    return tmp_path / "data"


def imported(program: str, config: Path, *more: str) -> tuple[Recipe, dict[str, Any], list[str]]:
    out = config.parent / "recipe.yaml"
    result = CliRunner().invoke(app, ["import", program, str(config), "--out", str(out), "--json", *more])
    assert result.exception is None, result.exception
    told = json.loads(result.output)
    return read_recipe(out), told["left"], told["notes"]


def test_a_toml_of_sd_scripts_becomes_a_recipe(tmp_path: Path, pictures: Path) -> None:
    config = tmp_path / "lora.toml"
    config.write_text(SCRIPTS.format(pictures=pictures))
    recipe, left, notes = imported("kohya", config)
    train = recipe.train
    assert (recipe.name, recipe.base, recipe.captioner.kind) == ("my-style", "pocket", "sidecar")
    assert recipe.pictures.dump() | {"path": str(pictures), "caption_extension": ".txt"} == recipe.pictures.dump()
    adapter = {"kind": "locon", "rank": 32, "alpha": 16.0, "convolution_rank": 8, "convolution_alpha": 4.0}
    assert train.adapter.dump() | adapter | {"max_norm": 1.0, "ratio": 16.0} == train.adapter.dump()
    optimizer = {"kind": "adamw8bit", "learning_rate": 1e-4, "weight_decay": 0.1, "beta1": 0.9, "beta2": 0.99}
    assert train.optimizer.dump() | optimizer == train.optimizer.dump()
    # 4 pictures 5 times are 20 showings: 10 batches of 2 an epoch, 2 of them a step
    assert (train.steps, train.batch_size, train.accumulate) == (50, 4, 2)
    assert train.schedule.dump() == {"kind": "cosine_with_restarts", "warmup": 5, "cycles": 2}
    assert train.text_encoder is not None
    assert (train.text_encoder.learning_rate, train.text_encoder.steps) == (1e-5, 50)
    assert train.objective.dump() | {"noise_offset": 0.05, "min_snr_gamma": 5.0} == train.objective.dump()
    assert (train.captions.shuffle, train.captions.keep_tokens, train.caption_dropout) == (True, 1, 0.0)
    assert (train.seed, train.precision, train.clip_norm, train.resolution) == (1337, "bf16", None, 627)
    assert train.buckets is not None
    assert (train.buckets.min_side, train.buckets.upscale) == (256, False)
    assert set(left) == {"network_args.made_up", "clip_skip", "learing_rate", "max_token_length"}
    assert left["learing_rate"] == {"value": 5.0, "why": "there is no key for it here"}
    assert any("50 steps" in note for note in notes)
    assert "# left out: clip_skip = 2: the text encoder is read" in (tmp_path / "recipe.yaml").read_text()


def test_a_preset_of_kohyas_gui_becomes_a_recipe(tmp_path: Path) -> None:
    config = tmp_path / "lokr.json"
    config.write_text(json.dumps(GUI))
    recipe, left, notes = imported("kohya", config, "--pictures", "somewhere")
    train = recipe.train
    adapter = {"kind": "lokr", "rank": 64, "alpha": 32.0, "both": True, "convolutions": True, "rank_dropout": 0.1}
    assert train.adapter.dump() | adapter == train.adapter.dump()
    optimizer = {"kind": "prodigy", "learning_rate": 1.0, "beta2": 0.99, "coefficient": 2.0, "bias_correction": True}
    assert train.optimizer.dump() | optimizer == train.optimizer.dump()
    assert (train.schedule.dump()["warmup"], train.steps, train.buckets) == (30, 300, None)
    objective = train.objective.dump()
    assert (objective["multires_levels"], objective["noise_offset"]) == (6, 0.0), "the GUI's type says which counts"
    assert [one.kind for one in recipe.augment.transforms] == ["flip"]
    assert set(left) == {"down_lr_weight"}
    assert any("is a pickle, which is never loaded" in note for note in notes)
    assert not any("pictures.path has to be filled in" in note for note in notes)


def test_a_toml_of_the_easy_scripts_becomes_a_recipe(tmp_path: Path, pictures: Path) -> None:
    config = tmp_path / "easy.toml"
    config.write_text(EASY.format(pictures=pictures / "5_sks dog"))
    recipe, left, _ = imported("kohya", config)
    assert recipe.train.adapter.dump() | {"kind": "lora", "rank": 8, "alpha": 4.0} == recipe.train.adapter.dump()
    assert recipe.train.optimizer.dump() | {"kind": "lion", "weight_decay": 0.1} == recipe.train.optimizer.dump()
    assert (recipe.train.batch_size, recipe.train.precision, recipe.train.resolution) == (3, "fp16", 512)
    assert set(left) == {"subsets"}


def test_hcps_yaml_becomes_a_recipe_with_the_files_below_it(tmp_path: Path) -> None:
    (tmp_path / "cfgs/train/examples").mkdir(parents=True)
    (tmp_path / "cfgs/train/train_base.yaml").write_text(HCP_BASE)
    config = tmp_path / "cfgs/train/examples/lora.yaml"
    config.write_text(HCP)
    recipe, left, notes = imported("hcp", config)
    train = recipe.train
    # in HCP a LoRA that says nothing of it has alpha 1 and a tenth of dropout
    assert train.adapter.dump() | {"kind": "lora", "rank": 8, "alpha": 1.0, "dropout": 0.1} == train.adapter.dump()
    assert (train.steps, train.batch_size, train.accumulate, train.seed) == (600, 8, 2, 114514)
    assert train.optimizer.dump() | {"learning_rate": 8e-4, "weight_decay": 1e-3} == train.optimizer.dump()
    assert train.schedule.dump() == {"kind": "constant", "warmup": 50}
    assert train.objective.dump()["min_snr_gamma"] == 2.0
    assert train.text_encoder is not None
    assert train.text_encoder.learning_rate == 1e-5
    assert (train.captions.shuffle, train.captions.tag_dropout, train.caption_dropout) == (True, 0.2, 0.0)
    assert (train.resolution, train.precision, train.gradient_checkpointing) == (512, "fp16", True)
    said = recipe.captioner.dump()
    assert (said["kind"], said["trigger"], said["class_word"]) == ("clip_tags", "sks", "dog")
    assert set(left) == {"data.dataset1.source.prompt_template", "model.clip_skip"}
    assert any("times 8, the examples of a step" in note for note in notes)
    config.write_text(HCP.replace("train_base.yaml", "nowhere.yaml"))
    (config.parent / "recipe.yaml").unlink()
    assert any("_base_ cfgs/train/nowhere.yaml was not found" in note for note in imported("hcp", config)[2])


def test_naifus_yaml_becomes_a_recipe(tmp_path: Path) -> None:
    config = tmp_path / "train_lycoris.yaml"
    config.write_text(NAIFU)
    recipe, left, _ = imported("naifu", config)
    train = recipe.train
    assert recipe.name == "train_lycoris"
    assert train.adapter.dump() | {"kind": "lokr", "rank": 32, "alpha": 16.0} == train.adapter.dump()
    assert (train.batch_size, train.accumulate, train.steps, train.resolution) == (8, 2, 900, 1024)
    assert train.optimizer.dump() | {"kind": "adamw8bit", "weight_decay": 0.01} == train.optimizer.dump()
    assert train.schedule.dump() == {"kind": "constant", "warmup": 20}
    objective = train.objective.dump()
    assert (objective["noise_offset"], objective["min_snr_gamma"]) == (0.0375, None), "what is switched off counts not"
    assert (train.clip_norm, train.precision, train.captions.tokens) == (None, "fp16", 225)
    assert recipe.samples.prompts == ("a girl",)
    assert set(left) == {"advanced.train_text_encoder"}


@pytest.mark.parametrize(
    ("program", "text", "said"),
    [
        ("kohya", "a = 1", "is no configuration of kohya"),
        (
            "kohya",
            "network_module = 'networks.dylora'\nlearning_rate = 1",
            "network_module: 'networks.dylora' is not made",
        ),
        ("kohya", "learning_rate = 'fast'", "learning_rate: 'fast' is not a number"),
        ("kohya", "learning_rate = -1", r"train\.optimizer: .*greater than 0"),
        ("kohya", "[", "cannot be read as a configuration of kohya"),
        ("naifu", "target: modules.train_phi.setup\ntrainer: {model_path: x}", "trains a language model"),
        ("hcp", "- a", "holds no keys"),
        ("onetrainer", "", "there is no import from 'onetrainer'; known: kohya"),
    ],
)
def test_what_cannot_be_imported_is_told(program: str, text: str, said: str, tmp_path: Path) -> None:
    config = tmp_path / f"x.{'toml' if program == 'kohya' else 'yaml'}"
    config.write_text(text)
    out = tmp_path / "recipe.yaml"
    with pytest.raises(RecipeError, match=said):
        raise CliRunner().invoke(app, ["import", program, str(config), "--out", str(out)]).exception or AssertionError
    assert not out.exists()


def test_no_recipe_is_written_over(tmp_path: Path) -> None:
    config, out = tmp_path / "x.yaml", tmp_path / "mine.yaml"
    config.write_text(NAIFU)
    out.write_text("mine")
    error = CliRunner().invoke(app, ["import", "naifu", str(config), "--out", str(out)]).exception
    assert isinstance(error, ExportError)
    assert yaml.safe_load(out.read_text()) == "mine"
