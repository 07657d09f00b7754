"""What each adapter writes, read back by us and by the programs that it is for."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from backbones.backbone import Backbone
from core.errors import RecipeError
from core.pixels import Pixels
from tests.training.adapting import RICH, answer, disturb, made, weights
from training.adapter import Adapter
from training.tensors import write_tensors


class Learned:
    """A folder of exported files, and what the network said and drew while the adapter was on it."""

    def __init__(self, kind: str, base: Backbone, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        with torch.random.fork_rng():
            torch.manual_seed(0)
            adapter = made(kind, RICH).attach(base)
        disturb(weights(adapter), 0.01 if kind == "full" else 0.05)
        self.answer, self.picture = answer(base), drawn(base)
        adapter.export(folder, {"ss_steps": "7", "velatura.base_sha256": "0123456789abcdef"})
        adapter.detach()

    def file(self, what: str = "weights") -> Path:
        return self.folder / Adapter.of_kind(self.kind).files[what]


def drawn(base: Backbone) -> Pixels:
    return base.sample(["a qzx"], [1], steps=2)[0]


@pytest.fixture(scope="module")
def learned(base: Backbone, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Learned]:
    return {kind: Learned(kind, base, tmp_path_factory.mktemp(kind)) for kind in Adapter.kinds()}


@pytest.mark.parametrize("kind", Adapter.kinds())
def test_every_file_gives_the_same_answer_and_picture_as_the_run_itself(
    kind: str, base: Backbone, learned: dict[str, Learned]
) -> None:
    before, words = answer(base), base.fingerprint("text")
    one = learned[kind]
    base.apply_adapter(one.file())
    torch.testing.assert_close(answer(base), one.answer, atol=1e-5, rtol=1e-4)
    assert np.abs(drawn(base).astype(int) - one.picture.astype(int)).max() <= 1
    assert (base.fingerprint("text") != words) == (kind == "textual_inversion")
    with base.untuned():
        assert torch.equal(answer(base), before)
    base.remove_adapter()
    assert torch.equal(answer(base), before)
    assert (one.answer - before).abs().max() > 1e-3
    if kind == "textual_inversion":
        with pytest.raises(RecipeError, match="no strength but 1"):
            base.apply_adapter(one.file(), strength=0.5)
    else:
        base.apply_adapter(one.file(), strength=0.0)
        torch.testing.assert_close(answer(base), before, atol=1e-5, rtol=0)
    base.remove_adapter()
    assert not base.tunings


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("lora", "diffusers"),
        ("locon", "diffusers"),
        ("dora", "diffusers"),
        ("full", "diffusers"),
        ("textual_inversion", "web_ui"),
        ("textual_inversion", "diffusers"),
    ],
)
def test_the_other_layouts_say_the_same(kind: str, what: str, base: Backbone, learned: dict[str, Learned]) -> None:
    """A LoRA's go through diffusers' own loader."""
    base.apply_adapter(learned[kind].file(what))
    torch.testing.assert_close(answer(base), learned[kind].answer, atol=1e-5, rtol=1e-4)
    base.remove_adapter()


@pytest.mark.parametrize("kind", ["locon", "dora", "loha", "lokr", "ia3", "oft"])
@torch.no_grad()
def test_lycoris_makes_the_very_weights_of_every_layer(kind: str, base: Backbone, learned: dict[str, Learned]) -> None:
    from lycoris.modules import get_module, make_module
    from lycoris.modules.ia3 import IA3Module

    tensors = load_file(learned[kind].file())
    layers = {f"lora_unet_{path.replace('.', '_')}": layer for path, layer in base.network.named_modules()}
    base.apply_adapter(learned[kind].file())
    tuned = {name: layer.weight.clone() for name, layer in layers.items() if hasattr(layer, "weight")}
    base.remove_adapter()
    named = sorted({name.partition(".")[0] for name in tensors})
    for name in named:
        if kind == "ia3":  # its own reader of files cannot be called (LyCORIS issue 116)
            module = IA3Module(name, layers[name], train_on_input=bool(tensors[f"{name}.on_input"]))
            module.weight.copy_(tensors[f"{name}.weight"])
        else:
            module = make_module(*get_module(tensors, name), name, layers[name])
        if kind in ("loha", "lokr"):  # get_merged_weight counts alpha over rank twice in LyCORIS 4.1.3
            theirs = layers[name].weight + module.get_weight(layers[name].weight.shape)
        else:
            theirs = module.get_merged_weight()[0]
        if kind == "locon":  # for a plain LoRA what diffusers put on is no changed weight
            down, up = tensors[f"{name}.lora_down.weight"], tensors[f"{name}.lora_up.weight"]
            added = (up.flatten(1) @ down.flatten(1)) * (float(tensors[f"{name}.alpha"]) / len(down))
            ours = layers[name].weight + added.reshape(theirs.shape)
        else:
            ours = tuned[name]
        torch.testing.assert_close(theirs, ours, atol=1e-5, rtol=1e-4)
    assert len(named) > 30


@pytest.mark.parametrize("kind", ["loha", "lokr", "ia3"])
@torch.no_grad()
def test_peft_reads_its_own_layout(kind: str, base: Backbone, learned: dict[str, Learned]) -> None:
    from peft import PeftModel

    network = base.network
    base.network = PeftModel.from_pretrained(deepcopy(network), learned[kind].folder)
    try:
        torch.testing.assert_close(answer(base), learned[kind].answer, atol=1e-5, rtol=1e-4)
    finally:
        base.network = network


@pytest.fixture
def pipeline(base_folder: Path) -> Any:
    from diffusers import StableDiffusionPipeline

    return StableDiffusionPipeline.from_pretrained(
        base_folder, safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )


@pytest.mark.parametrize("what", ["weights", "web_ui", "diffusers"])
@torch.no_grad()
def test_diffusers_reads_all_three_files_of_a_word(
    what: str, base: Backbone, pipeline: Any, learned: dict[str, Learned]
) -> None:
    one = learned["textual_inversion"]
    pipeline.load_textual_inversion(str(one.file(what)), token="qzx")
    text = pipeline.maybe_convert_prompt("a qzx, red", pipeline.tokenizer)
    tokens = pipeline.tokenizer(text, padding="max_length", max_length=77, return_tensors="pt").input_ids
    theirs = pipeline.text_encoder(tokens)[0]
    base.apply_adapter(one.file())
    torch.testing.assert_close(base.encode_text(["a qzx, red"])["hidden"], theirs, atol=1e-5, rtol=1e-4)
    base.remove_adapter()


def test_diffusers_reads_the_one_file_of_a_whole_model(
    base_folder: Path, pipeline: Any, learned: dict[str, Learned]
) -> None:
    from diffusers import StableDiffusionPipeline

    one = learned["full"]
    whole = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    loaded = StableDiffusionPipeline.from_single_file(
        str(one.file()), config=str(base_folder), local_files_only=True, **whole
    )
    folder = StableDiffusionPipeline.from_pretrained(one.file("diffusers"), **whole)
    for part in ("unet", "vae", "text_encoder"):
        expected = getattr(folder, part).state_dict()
        for name, tensor in getattr(loaded, part).state_dict().items():
            if "position_ids" not in name:
                torch.testing.assert_close(tensor, expected[name], atol=1e-6, rtol=0)
    same = pipeline.vae.state_dict()
    assert all(torch.equal(tensor, same[name]) for name, tensor in folder.vae.state_dict().items())
    assert not torch.equal(folder.unet.conv_in.weight, pipeline.unet.conv_in.weight)


class WebUi(nn.Module):
    """How the web UI builds one network of a hypernetwork, written after its description in the reference."""

    def __init__(self, width: int, described: dict[Any, Any]) -> None:
        super().__init__()
        structure, layers = described["layer_structure"], []
        for i in range(len(structure) - 1):
            layers.append(nn.Linear(int(width * structure[i]), int(width * structure[i + 1])))
            if described["activation_func"] == "relu" and (i < len(structure) - 2 or described["activate_output"]):
                layers.append(nn.ReLU())
            if described["is_layer_norm"]:
                layers.append(nn.LayerNorm(int(width * structure[i + 1])))
            dropout = described["dropout_structure"]
            if dropout is not None and dropout[i + 1] > 0:
                layers.append(nn.Dropout(dropout[i + 1]))
        self.linear = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.linear(x)


def test_the_web_ui_would_build_the_same_hypernetwork(base: Backbone, learned: dict[str, Learned]) -> None:
    described = torch.load(learned["hypernetwork"].file(), weights_only=True)
    assert (described["step"], described["sd_checkpoint"]) == (7, "0123456789")
    hooks = []
    for path, layer in base.network.named_modules():
        if path.endswith((".to_k", ".to_v")):
            net = WebUi(layer.in_features, described).eval()  # type: ignore[arg-type]
            net.load_state_dict(described[layer.in_features][path.endswith(".to_v")])
            hooks.append(layer.register_forward_pre_hook(lambda _layer, given, net=net: (net(*given),)))
    try:
        torch.testing.assert_close(answer(base), learned["hypernetwork"].answer, atol=1e-5, rtol=1e-4)
    finally:
        for hook in hooks:
            hook.remove()


def test_a_web_ui_file_of_sd15_is_read_with_its_defaults(tmp_path: Path) -> None:
    from backbones.hypernetworks import _loaded, shape_of

    state = {"linear.0.weight": torch.randn(8, 4), "linear.0.bias": torch.zeros(8)}
    state |= {"linear.1.weight": torch.randn(4, 8), "linear.1.bias": torch.zeros(4)}
    torch.save(dict.fromkeys((320, 640, 768, 1280), (state, state)) | {"layer_structure": [1, 2, 1]}, tmp_path / "h")
    described = torch.load(tmp_path / "h", weights_only=True)
    shape = shape_of(described)
    assert (shape.structure, shape.activation, shape.activate_output) == ((1, 2, 1), "linear", True)
    old = {f"linear{n + 1}.{part}": state[f"linear.{n}.{part}"] for n in (0, 1) for part in ("weight", "bias")}
    x = torch.randn(3, 4)
    assert torch.equal(_loaded(shape, 4, old)(x), _loaded(shape, 4, state)(x))
    assert shape_of({"use_dropout": True, "layer_structure": [1, 2, 2, 1]}).dropout == (0.0, 0.3, 0.0, 0.0)


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("trapped"),))  # type: ignore[return-value]


def test_a_pt_file_that_would_run_something_is_refused(
    base: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({320: Trap()}, tmp_path / "trap.pt")
    with pytest.raises(RecipeError, match="holds more than tensors and plain values"):
        base.apply_adapter(tmp_path / "trap.pt")
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"lora_unet_nowhere.hada_w1_a": torch.ones(2, 2)}, "no layer lora_unet_nowhere"),
        ({"emb_params": torch.ones(2, 7)}, "vectors have 7 numbers, this text encoder's 32"),
        ({"model.diffusion_model.out.2.bias": torch.ones(4)}, "time_embed|input_blocks|out"),
        ({"lora_unet_mid_block_resnets_0_conv1.diff": torch.ones(3)}, "shape"),
    ],
)
def test_a_file_of_another_base_is_told(
    tensors: dict[str, torch.Tensor], said: str, base: Backbone, tmp_path: Path
) -> None:
    before = answer(base)
    write_tensors(tmp_path / "qzx.safetensors", tensors, {})
    with pytest.raises(RecipeError, match=f"does not fit this base: .*({said})"):
        base.apply_adapter(tmp_path / "qzx.safetensors")
    assert torch.equal(answer(base), before)
