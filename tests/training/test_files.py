import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import nn

from backbones.backbone import Backbone
from backbones.family import family_of
from core.errors import MissingBase, RecipeError
from tests.backbones.tiny import make_sd15
from tests.training import runs
from training.adapter import Adapter
from training.files import restamp
from training.metadata import describe
from training.peft_adapter import PeftAdapter
from training.tensors import read_tensors, write_tensors


@pytest.fixture(scope="module")
def real_shape(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """As many layers as the real SD 1.5 has, so that names and counts can be checked."""
    return family_of(str(make_sd15(tmp_path_factory.mktemp("shape") / "base"))).load()


@pytest.fixture(scope="module")
def learned(real_shape: Backbone, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.Tensor]]:
    """A folder of exported files, and what they should add to each of the base's weights."""
    folder = tmp_path_factory.mktemp("learned")
    chosen = Adapter.parse({"kind": "lora", "rank": 4, "alpha": 2.0, "convolutions": True})
    adapter = chosen.attach(real_shape)
    assert isinstance(adapter, PeftAdapter)
    rng = torch.Generator().manual_seed(0)
    adapter.restore({name: 0.05 * torch.randn(t.shape, generator=rng) for name, t in adapter.state().items()})
    adapter.export(folder, describe(runs.spec(adapter=chosen), real_shape, runs.examples()))
    added = {
        path: ((2.0 / 4) * up.flatten(1) @ down.flatten(1)).reshape(up.shape[0], *down.shape[1:])
        for path, parts in adapter.layers()["unet"].items()
        for up, down in [(parts["lora_up.weight"], parts["lora_down.weight"])]
    }
    adapter.detach()
    return folder, added


def weights(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@pytest.fixture
def pipeline(real_shape: Backbone) -> Iterator[Any]:
    from diffusers import StableDiffusionPipeline

    loaded = StableDiffusionPipeline.from_pretrained(
        real_shape.folder, safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )
    loaded.set_progress_bar_config(disable=True)
    yield loaded


@pytest.mark.parametrize("file", ["kohya.safetensors", "pytorch_lora_weights.safetensors"])
def test_diffusers_reads_both_layouts_and_adds_the_very_weights(
    file: str, pipeline: Any, learned: tuple[Path, dict[str, torch.Tensor]]
) -> None:
    folder, added = learned
    before = weights(pipeline.unet)
    pipeline.load_lora_weights(str(folder), weight_name=file)
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()
    after = weights(pipeline.unet)
    assert len(added) == 277, "as many as kohya finds on SD 1.5 with conv_dim"
    for name, tensor in after.items():
        path = name.removesuffix(".weight")
        expected = before[name] + added[path] if name.endswith(".weight") and path in added else before[name]
        torch.testing.assert_close(tensor, expected, atol=1e-5, rtol=0)


def test_both_layouts_and_the_run_itself_give_the_same_picture(
    real_shape: Backbone, learned: tuple[Path, dict[str, torch.Tensor]]
) -> None:
    folder, added = learned
    plain = real_shape.sample(["a cat"], [1], steps=2)[0]
    prints = {real_shape.fingerprint("network")}
    pictures = []
    for file in ("kohya.safetensors", "pytorch_lora_weights.safetensors"):
        real_shape.apply_adapter(folder / file)
        pictures.append(real_shape.sample(["a cat"], [1], steps=2)[0].astype(int))
        prints.add(real_shape.fingerprint("network"))
    assert len(prints) == 3
    real_shape.apply_adapter(folder / "kohya.safetensors", strength=0.0)
    np.testing.assert_array_equal(real_shape.sample(["a cat"], [1], steps=2)[0], plain)
    real_shape.remove_adapter()
    np.testing.assert_array_equal(real_shape.sample(["a cat"], [1], steps=2)[0], plain)
    original = weights(real_shape.network)
    with torch.no_grad():
        for path, delta in added.items():
            real_shape.network.get_submodule(path).weight += delta  # type: ignore[operator]
    merged = real_shape.sample(["a cat"], [1], steps=2)[0].astype(int)
    real_shape.network.load_state_dict(original)
    assert all(np.abs(picture - merged).max() <= 1 for picture in pictures)
    assert np.abs(merged - plain).max() > 1


def test_lycoris_reads_the_kohya_layout(real_shape: Backbone, tmp_path: Path) -> None:
    from lycoris.kohya import LycorisNetworkKohya, create_network_from_weights
    from lycoris.wrapper import PRESET  # type: ignore[attr-defined]

    adapter = Adapter.parse({"kind": "lora", "rank": 4, "alpha": 2.0}).attach(real_shape)
    rng = torch.Generator().manual_seed(0)
    adapter.restore({name: 0.05 * torch.randn(t.shape, generator=rng) for name, t in adapter.state().items()})
    adapter.export(tmp_path, {})
    x, t, states = torch.randn(1, 4, 8, 8, generator=rng), torch.tensor([500]), real_shape.encode_text(["a"])
    with torch.no_grad():
        ours = real_shape.predict(x, t, states)
    adapter.detach()
    LycorisNetworkKohya.apply_preset(PRESET["attn-mlp"])
    network = family_of(str(real_shape.folder)).load()
    file = tmp_path / "kohya.safetensors"
    encoder = network.text_encoders["text_encoder"]
    theirs, _ = create_network_from_weights(1.0, str(file), network.vae, encoder, network.network)
    theirs.apply_to(encoder, network.network, False, True)
    missing = theirs.load_state_dict(load_file(file), strict=False)
    assert not missing.unexpected_keys
    with torch.no_grad():
        torch.testing.assert_close(network.predict(x, t, states), ours, atol=1e-5, rtol=1e-4)


def test_the_names_are_kohyas(learned: tuple[Path, dict[str, torch.Tensor]], real_shape: Backbone) -> None:
    tensors = load_file(learned[0] / "kohya.safetensors")
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    assert tensors[f"{name}.lora_down.weight"].shape == (4, 32)
    assert tensors[f"{name}.lora_up.weight"].shape == (32, 4)
    assert tensors[f"{name}.alpha"].shape == ()
    assert tensors[f"{name}.alpha"] == 2
    convolution = "lora_unet_mid_block_resnets_0_conv1"
    assert tensors[f"{convolution}.lora_down.weight"].shape == (4, 64, 3, 3)
    assert tensors[f"{convolution}.lora_up.weight"].shape == (64, 4, 1, 1)
    default = Adapter.parse("lora").attach(real_shape)
    assert isinstance(default, PeftAdapter)
    assert len(default.layers()["unet"]) == 192, "kohya's default on SD 1.5"
    default.detach()


def test_the_metadata_is_what_web_uis_look_for(learned: tuple[Path, dict[str, torch.Tensor]]) -> None:
    file = learned[0] / "kohya.safetensors"
    tensors, metadata = read_tensors(file)
    assert metadata["ss_base_model_version"] == "sd_v1"
    assert (metadata["ss_network_module"], metadata["ss_network_dim"]) == ("networks.lora", "4")
    assert (metadata["ss_network_alpha"], metadata["ss_v2"]) == ("2.0", "False")
    assert metadata["modelspec.architecture"] == "stable-diffusion-v1/lora"
    assert json.loads(metadata["ss_tag_frequency"]) == {
        "velatura": {"a thing": 7, "number 0": 3, "number 1": 2, "number 2": 2}
    }
    assert json.loads(metadata["ss_network_args"]) == {"conv_dim": "4", "conv_alpha": "2.0"}
    said = {"ss_num_train_images": "7", "ss_num_reg_images": "0", "ss_num_epochs": "2", "ss_num_batches_per_epoch": "5"}
    said |= {"ss_unet_lr": "0.001", "ss_text_encoder_lr": "None", "ss_noise_offset": "0.0", "ss_min_snr_gamma": "None"}
    said |= {"ss_resolution": "(64, 64)", "modelspec.resolution": "64x64", "ss_lr_warmup_steps": "2"}
    assert {key: metadata[key] for key in said} == said
    assert json.loads(metadata["ss_bucket_info"]) == {"buckets": {"0": {"resolution": [64, 64], "count": 7}}}
    assert len(metadata["ss_new_sd_model_hash"]) == 64
    kohyas = save(tensors, {key: value for key, value in metadata.items() if key.startswith("ss_")})
    area = kohyas[8 + int.from_bytes(kohyas[:8], "little") :]
    assert metadata["sshs_model_hash"] == hashlib.sha256(area).hexdigest()
    assert metadata["modelspec.hash_sha256"] == f"0x{metadata['sshs_model_hash']}"
    assert metadata["sshs_legacy_hash"] == hashlib.sha256(kohyas[0x100000:0x110000]).hexdigest()[:8]


def test_a_verdict_can_be_added_later(learned: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path) -> None:
    source = learned[0] / "kohya.safetensors"
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(source.read_bytes())
    restamp(copy, {"velatura.verdict": "healthy"})
    (before, said), (after, says) = read_tensors(source), read_tensors(copy)
    assert says == {**said, "velatura.verdict": "healthy"}
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_our_files_are_laid_out_as_the_library_lays_them_out(tmp_path: Path) -> None:
    rng = torch.Generator().manual_seed(0)
    tensors = {
        "b": torch.randn(3, generator=rng),
        "a.half": torch.randn(2, 2, generator=rng).half(),
        "a": torch.randn(2, 3, generator=rng).t(),
        "c": torch.arange(3),
        "d": torch.randn(2, generator=rng).double(),
        "e": torch.arange(3, dtype=torch.int32),
        "none": torch.zeros(0, 4),
        "é": torch.randn(2, generator=rng).bfloat16(),
    }
    write_tensors(tmp_path / "ours.safetensors", tensors, {"only": "one"})
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    assert (tmp_path / "ours.safetensors").read_bytes() == save(contiguous, {"only": "one"})
    with safe_open(tmp_path / "ours.safetensors", framework="pt") as file:
        assert file.metadata() == {"only": "one"}


def test_an_adapter_that_does_not_fit_is_told(base: Backbone, tmp_path: Path) -> None:
    before = [name for name, _ in base.network.named_modules()]
    with pytest.raises(MissingBase, match="no adapter file"):
        base.apply_adapter(tmp_path / "nowhere.safetensors")
    wrong = tmp_path / "wrong.safetensors"
    name = "lora_unet_mid_block_attentions_0_proj_in"
    shapes = {f"{name}.lora_down.weight": (4, 320, 1, 1), f"{name}.lora_up.weight": (320, 4, 1, 1), f"{name}.alpha": ()}
    write_tensors(wrong, {key: torch.ones(shape) for key, shape in shapes.items()}, {})
    with pytest.raises(RecipeError, match="does not fit this base"):
        base.apply_adapter(wrong)
    write_tensors(wrong, {"something.else": torch.ones(2)}, {})
    with pytest.raises(RecipeError, match="does not fit this base"):
        base.apply_adapter(wrong)
    assert [name for name, _ in base.network.named_modules()] == before, "nothing of it is left on the base"


def test_an_adapter_of_the_text_encoder_is_read_under_its_canonical_name(base: Backbone, tmp_path: Path) -> None:
    file = tmp_path / "words.safetensors"
    rng = torch.Generator().manual_seed(0)
    tensors = {}
    for layer in ("q_proj", "k_proj", "v_proj", "out_proj"):  # diffusers does not know a file that has only some
        name = f"lora_te_text_model_encoder_layers_0_self_attn_{layer}"
        tensors[f"{name}.lora_down.weight"] = torch.randn(2, 32, generator=rng)
        tensors[f"{name}.lora_up.weight"] = torch.randn(32, 2, generator=rng)
        tensors[f"{name}.alpha"] = torch.tensor(2.0)
    write_tensors(file, tensors, {})
    states, prints = base.encode_text(["a cat"])["hidden"], base.fingerprint("text")
    base.apply_adapter(file)
    assert not torch.equal(base.encode_text(["a cat"])["hidden"], states)
    assert base.fingerprint("text") != prints, "cached text states are not those of the tuned encoder"
    base.remove_adapter()
    assert torch.equal(base.encode_text(["a cat"])["hidden"], states)
    assert base.fingerprint("text") == prints
