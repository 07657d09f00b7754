import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from backbones.backbone import Backbone
from backbones.layer_names import from_kohya, to_kohya
from core.errors import ExportError, RecipeError
from flows.command_line import app
from tests.training.adapting import answer
from tests.training.tools.conftest import Learned
from training.tensors import read_tensors
from training.tools.convert import converted, kind_of
from training.tools.inspect_file import inspected


@pytest.mark.parametrize("kind", ["locon", "dora"])
def test_a_lora_goes_to_diffusers_and_back_and_stays_what_it_is(
    kind: str, base: Backbone, learned: Learned, tmp_path: Path
) -> None:
    one = learned(kind, words=kind == "locon")
    file, there, back = one.named(), tmp_path / "there.safetensors", tmp_path / "back.safetensors"
    assert not converted(file, kind_of(file), "diffusers", there, None)
    theirs = one.named("diffusers")
    ours = load_file(there)
    assert ours.keys() == load_file(theirs).keys()
    for name, tensor in load_file(theirs).items():
        torch.testing.assert_close(ours[name], tensor, atol=1e-6, rtol=1e-5)
    assert not converted(there, kind_of(there), "kohya", back, None)
    assert load_file(back).keys() == load_file(file).keys()
    base.apply_adapter(back)
    torch.testing.assert_close(answer(base), one.answer, atol=1e-4, rtol=1e-4)
    base.remove_adapter()


def test_precision_is_changed_and_hashes_with_it(learned: Learned, tmp_path: Path) -> None:
    file, half = learned("lora").named(), tmp_path / "half.safetensors"
    converted(file, "layers", "kohya", half, torch.float16)
    (before, said), (after, says) = read_tensors(file), read_tensors(half)
    assert all(after[name].dtype == (torch.float16 if t.dim() else torch.float32) for name, t in before.items())
    changed = {key for key in said | says if said.get(key) != says.get(key)}
    assert "sshs_model_hash" in changed
    assert changed <= {"sshs_model_hash", "sshs_legacy_hash", "modelspec.hash_sha256"}, "what is said of the run stays"


@pytest.mark.parametrize(
    ("kind", "to", "said"),
    [
        ("loha", "diffusers", "diffusers has no layout for this kind .*velatura lora resize"),
        ("lora", "web_ui", "has no layout web_ui; there is kohya, diffusers"),
        ("textual_inversion", "safetensors", "is an embedding, .*there is kohya, diffusers, web_ui"),
    ],
)
def test_a_layout_that_is_not_made_for_a_kind_is_told(
    kind: str, to: str, said: str, learned: Learned, tmp_path: Path
) -> None:
    file = learned(kind).named()
    with pytest.raises(RecipeError, match=said):
        converted(file, kind_of(file), to, tmp_path / "x.safetensors", None)  # type: ignore[arg-type]
    assert not (tmp_path / "x.safetensors").exists()


def test_a_word_is_the_same_in_every_layout(learned: Learned, tmp_path: Path) -> None:
    one = learned("textual_inversion")
    vectors = load_file(one.named())["emb_params"]
    for number, (what, to) in enumerate([("web_ui", "diffusers"), ("diffusers", "web_ui"), ("web_ui", "kohya")]):
        out = tmp_path / f"qzx-{number}{'.pt' if to == 'web_ui' else '.safetensors'}"
        assert "qzx" in converted(one.named(what), "embedding", to, out, None)[0]  # type: ignore[arg-type]
        found = inspected(out)
        assert (found.words, found.kind, found.layout) == (("qzx",), "embedding", to)
        if to == "web_ui":
            tensors = torch.load(out, weights_only=True)
            assert torch.equal(tensors["string_to_param"]["*"], vectors)
        else:
            assert torch.equal(load_file(out)["emb_params" if to == "kohya" else "qzx"], vectors)


def test_a_hypernetwork_works_in_both_layouts(base: Backbone, learned: Learned, tmp_path: Path) -> None:
    one = learned("hypernetwork")
    there, back = tmp_path / "h.safetensors", tmp_path / "h.pt"
    converted(one.named(), "hypernetwork", "safetensors", there, None)
    base.apply_adapter(there)
    torch.testing.assert_close(answer(base), one.answer, atol=1e-5, rtol=1e-4)
    base.remove_adapter()
    converted(there, "hypernetwork", "web_ui", back, None)
    before, after = (torch.load(file, weights_only=True) for file in (one.named(), back))
    assert before.keys() == after.keys()
    assert before["layer_structure"] == after["layer_structure"] == [1, 2, 1.5, 1]
    assert torch.equal(before[32][1]["linear.0.weight"], after[32][1]["linear.0.weight"])
    assert inspected(there).kind == inspected(back).kind


def test_names_of_sdxl_are_those_that_diffusers_makes_of_kohyas() -> None:
    """Every layer of the real U-Net, without its weights, through diffusers' own converter."""
    from accelerate import init_empty_weights
    from diffusers import UNet2DConditionModel
    from diffusers.loaders.lora_conversion_utils import (
        _convert_non_diffusers_lora_to_diffusers,
        _maybe_map_sgm_blocks_to_diffusers,
    )
    from torch import nn

    with init_empty_weights():
        unet = UNet2DConditionModel(
            block_out_channels=(320, 640, 1280),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=(5, 10, 20),
            cross_attention_dim=2048,
            transformer_layers_per_block=(1, 2, 10),
            use_linear_projection=True,
        )
    paths = [path for path, layer in unet.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    named = {to_kohya(f"unet.{path}", several=True, original=True): path for path in paths}
    assert len(named) == len(paths) > 700
    assert "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_k" in named
    assert {from_kohya(name) for name in named} == {f"unet.{path}" for path in paths}
    blocks = {name: path for name, path in named.items() if path.startswith(("down", "mid", "up"))}
    attending = {name: path for name, path in blocks.items() if ".transformer_blocks." in path}
    file = {
        f"{name}.{part}": torch.tensor(float(number))
        for number, name in enumerate(attending)
        for part in ("lora_down.weight", "lora_up.weight", "alpha")
    }
    mapped = _maybe_map_sgm_blocks_to_diffusers(file, unet.config)
    theirs, _ = _convert_non_diffusers_lora_to_diffusers(mapped)
    # its own names of attention layers are older ones: processor.to_k_lora for to_k
    assert len(theirs) == 2 * len(attending)
    numbers = {float(t): key for key, t in theirs.items() if "down" in key or "lora_A" in key}
    for number, path in enumerate(attending.values()):
        assert numbers[float(number)].removeprefix("unet.").partition(".transformer_blocks")[0] in path


TE, MIDDLE = "text_model.encoder.layers", "mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("lora_te_text_model_encoder_layers_0_self_attn_q_proj", f"text_encoder.{TE}.0.self_attn.q_proj"),
        ("lora_te2_text_model_encoder_layers_31_mlp_fc1", f"text_encoder_2.{TE}.31.mlp.fc1"),
        ("lora_unet_up_blocks_1_resnets_0_time_emb_proj", "unet.up_blocks.1.resnets.0.time_emb_proj"),
        (f"lora_unet_{MIDDLE.replace('.', '_')}", f"unet.{MIDDLE}"),
        ("lora_unet_double_blocks_0_img_attn_qkv", "lora_unet_double_blocks_0_img_attn_qkv"),
    ],
)
def test_a_layer_has_one_name(name: str, path: str) -> None:
    assert from_kohya(name) == path
    assert to_kohya(path, several="te2" in name) == name


def test_a_file_is_told_in_words_and_as_json(learned: Learned) -> None:
    file = str(learned("locon", words=True).named())
    told = CliRunner().invoke(app, ["lora", "inspect", file]).output
    assert "LoRA and LoCon (kohya)" in told
    assert "Stable Diffusion 1.x" in told
    assert "qzx in the prompt" in told
    found = json.loads(CliRunner().invoke(app, ["lora", "inspect", file, "--json"]).output)
    parts = {one["part"]: one for one in found["blocks"]}
    assert parts["text_encoder"]["layers"] == 12
    assert parts["mid_block"]["ranks"] == [2, 4]
    layers = load_file(file)
    name = "lora_te_text_model_encoder_layers_{0}"
    squares = [
        (float(layers[f"{key}.alpha"]) / len(layers[f"{key}.lora_down.weight"])) ** 2
        * float((layers[f"{key}.lora_up.weight"] @ layers[f"{key}.lora_down.weight"]).square().sum())
        for key in {key.partition(".")[0] for key in layers if key.startswith(name.format("")[:20])}
        if key.startswith("lora_te_")
    ]
    assert parts["text_encoder"]["norm"] == pytest.approx(sum(squares) ** 0.5, rel=1e-4)


def test_nothing_is_written_over_and_options_that_mean_nothing_are_refused(learned: Learned, tmp_path: Path) -> None:
    file, out = str(learned("lora").named()), tmp_path / "out.safetensors"
    run = CliRunner().invoke
    assert run(app, ["lora", "resize", file, "--rank", "2", "--out", str(out)]).exit_code == 0
    before = out.read_bytes()
    for command in (["resize", file, "--rank", "1"], ["merge", file, file], ["convert", file, "--to", "diffusers"]):
        error = run(app, ["lora", *command, "--out", str(out)]).exception
        assert isinstance(error, ExportError)
        assert "is there already" in str(error)
    assert out.read_bytes() == before
    other = str(tmp_path / "other.safetensors")
    for command, said in (
        (["merge", file, "--into", "pocket", "--rank", "3"], "--rank means nothing here"),
        (["merge", file, str(learned("full").named())], "LoRAs go into one with --into"),
        (["convert", file, "--to", "peft"], "there is no such layout"),
        (["resize", file, "--rank", "1", "--dtype", "int8"], "known are fp32"),
        (["merge", file, file, "--add-difference"], "takes three models"),
    ):
        error = run(app, ["lora", *command, "--out", other]).exception
        assert isinstance(error, RecipeError), said
        assert said in str(error)
    assert not Path(other).exists()
