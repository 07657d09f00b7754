"""Every way to train, on a small base of each family: what was learned is read back, by us and by stock pipelines."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from backbones.backbone import Backbone
from backbones.family import family_of
from core.errors import RecipeError
from core.pixels import Pixels
from evaluation.case import Case
from evaluation.paired import answers
from tests.backbones.conftest import MAKERS
from tests.backbones.stock import stock_from_file, stock_picture, stock_pipeline
from tests.training import runs
from training.objective import Objective

PROMPT = "a thing, number 1"
WAYS: dict[str, dict[str, object]] = {
    "text encoder": {"text_encoder": {"learning_rate": 5e-3, "steps": 2}},
    "full": {"adapter": {"kind": "full", "saved_as": "fp32"}},
    "word": {"adapter": {"kind": "textual_inversion", "word": "number", "vectors": 2}, "caption_dropout": 0},
    "loha": {"adapter": "loha"},
}


@pytest.fixture(scope="module", params=["sd2", "sdxl"])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """A base of a family that the other tests here do not train."""
    return family_of(str(MAKERS[request.param](tmp_path_factory.mktemp("family") / "base"))).load()


@pytest.fixture(autouse=True)
def clean(other: Backbone) -> Iterator[None]:
    yield
    assert not other.tunings


def drawn(base: Backbone) -> Pixels:
    return base.sample([PROMPT], [1], steps=2)[0]


def trained(base: Backbone, folder: Path, **changes: object) -> tuple[Path, Pixels]:
    """The folder of the exported files, and what the tuned base drew at the end."""
    found = []

    def look(step: int) -> None:
        if step == 2:
            found.append(drawn(base))

    chosen = {"objective": fitting(base), "optimizer": {"kind": "adamw", "learning_rate": 1e-2}, **changes}
    runs.run(base, folder, steps=2, probe_every=2, schedule="constant", on_pause=look, **chosen)
    return folder / "weights" / "step-00000002", found[0]


def fitting(base: Backbone) -> str:
    return next(kind for kind in Objective.kinds() if Objective.of_kind(kind).predicts == base.prediction_type)


def far(one: Pixels, two: Pixels) -> int:
    return int(np.abs(one.astype(int) - two).max())


@pytest.mark.parametrize("way", WAYS)
def test_every_way_trains_on_every_family_and_its_files_give_it_back(way: str, other: Backbone, tmp_path: Path) -> None:
    plain = drawn(other)
    folder, learned = trained(other, tmp_path, **WAYS[way])
    assert far(learned, plain) > 1
    files = [path for path in sorted(folder.iterdir()) if not path.name.startswith("adapter_")]
    for file in files:
        other.apply_adapter(file)
        assert far(drawn(other), learned) <= 1, file
        other.remove_adapter()
    assert far(drawn(other), plain) == 0
    if way == "text encoder":
        for name in ("kohya.safetensors", "pytorch_lora_weights.safetensors"):
            pipeline = stock_pipeline(other)
            pipeline.load_lora_weights(str(folder), weight_name=name)
            np.testing.assert_allclose(learned / 255, stock_picture(pipeline, PROMPT, 1, steps=2), atol=1.01 / 255)
        check_names(other, folder / "kohya.safetensors")
    if way == "full":
        for pipeline in (
            stock_pipeline(other, folder / "diffusers"),
            stock_from_file(other, folder / "model.safetensors"),
        ):
            np.testing.assert_allclose(learned / 255, stock_picture(pipeline, PROMPT, 1, steps=2), atol=1.01 / 255)
        assert far(family_of(str(folder / "model.safetensors")).load().sample([PROMPT], [1], steps=2)[0], learned) <= 1
    if way == "word":
        check_word(other, folder / "embedding.safetensors", learned)


def check_names(base: Backbone, file: Path) -> None:
    """As kohya's files of the family are."""
    names = {name.partition(".")[0] for name in load_file(file)}
    if len(base.text_encoders) == 1:
        assert "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k" in names
        assert "lora_te_text_model_encoder_layers_0_self_attn_q_proj" in names
        return
    assert "lora_unet_middle_block_1_transformer_blocks_1_attn2_to_k" in names
    assert "lora_unet_input_blocks_3_1_proj_in" in names
    for number in (1, 2):
        assert f"lora_te{number}_text_model_encoder_layers_0_mlp_fc1" in names
    assert {name.split("_")[1] for name in names} == {"unet", "te1", "te2"}


def check_word(base: Backbone, file: Path, learned: Pixels) -> None:
    """diffusers reads the vectors of each text encoder from its own key."""
    pipeline, tensors = stock_pipeline(base), load_file(file)
    for name, part in zip(base.vectors, base.text_encoders, strict=True):
        pipeline.load_textual_inversion(
            {"<word>": tensors[name]},
            token="<word>",
            text_encoder=getattr(pipeline, part),
            tokenizer=getattr(pipeline, part.replace("text_encoder", "tokenizer")),
        )
    if len(base.text_encoders) == 1:  # of SDXL's old configurations diffusers takes the pooled state at the new token
        picture = stock_picture(pipeline, PROMPT.replace("number", "<word>"), 1, steps=2)
        np.testing.assert_allclose(learned / 255, picture, atol=1.01 / 255)


def test_the_probe_asks_every_family_for_what_it_predicts(other: Backbone) -> None:
    rng = torch.Generator().manual_seed(0)
    told = other.encode_text(["a"]) | other.framing((90, 70), (64, 64))
    case = Case("record", "group", torch.randn(4, 8, 8, generator=rng), told)
    (answer,) = answers(other, [case], [10, 700])
    assert answer.predicted.shape == answer.target.shape == (2, 4, 8, 8)
    apart = (answer.target[0] - case.latent).abs().max(), (answer.target[1] - case.latent).abs().max()
    assert min(apart) > 0.1
    clean, noise, t = case.latent[None], torch.ones(1, 4, 8, 8), torch.tensor([700])
    x_t, target = other.noised(clean, noise, t), other.target(clean, noise, t)
    a = other.alphas_cumprod[700]
    back = a.sqrt() * x_t - (1 - a).sqrt() * target if other.prediction_type == "v_prediction" else None
    if back is not None:
        torch.testing.assert_close(back, clean)
    else:
        assert torch.equal(target, noise)


def test_a_wrong_objective_is_told_with_the_one_that_fits(other: Backbone, tmp_path: Path) -> None:
    right = fitting(other)
    wrong = {"epsilon": "v_prediction", "v_prediction": "epsilon"}[right]
    with pytest.raises(RecipeError, match=rf"predicts {right}; set train.objective: {right}"):
        runs.run(other, tmp_path, objective=wrong)
