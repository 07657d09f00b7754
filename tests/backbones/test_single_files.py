"""Bases in one original file: written by us, read by us and by diffusers; told from others by their headers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backbones.backbone import Backbone
from backbones.checkpoints import single_file_of
from backbones.clip_vocabulary import clip_tokenizer, vocabulary
from backbones.families.sd1 import StableDiffusion1
from backbones.families.sd2 import StableDiffusion2
from backbones.families.sdxl import StableDiffusionXL
from backbones.family import family_of
from backbones.one_file import configs_text
from backbones.original import Original
from backbones.prediction import said_prediction, shown_prediction
from backbones.shapes import clip_config, unet_config, vae_config
from backbones.tokens import Tokens
from core.errors import MissingBase
from tests.backbones.stock import stock_from_file, stock_picture


@pytest.fixture(scope="module")
def file(loaded: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file") / "model.safetensors"
    save_file(single_file_of(loaded, torch.float32), path, configs_text(loaded))
    return path


def test_a_single_file_of_every_family_is_the_same_base_as_the_folder(loaded: Backbone, file: Path) -> None:
    family = family_of(str(file))
    assert family.kind == family_of(str(loaded.folder)).kind
    again = family.load()
    for part, module in loaded.modules.items():
        own = dict(again.modules[part].named_parameters())
        assert all(torch.equal(own[name], parameter) for name, parameter in module.named_parameters())
    words = ["a red heart, naïve 3D", ""]
    for name, state in loaded.encode_text(words).items():
        torch.testing.assert_close(again.encode_text(words)[name], state)
    difference = again.sample(["a cat"], [1], steps=3)[0].astype(int) - loaded.sample(["a cat"], [1], steps=3)[0]
    assert np.abs(difference).max() <= 1
    assert (again.architecture, again.resolution) == (loaded.architecture, loaded.resolution)
    assert again.fingerprint("network") != again.fingerprint("text")


def test_diffusers_reads_our_single_file_of_every_family(loaded: Backbone, file: Path) -> None:
    theirs = stock_picture(stock_from_file(loaded, file), "a cat", 1)
    ours = loaded.sample(["a cat"], [1], steps=4)[0]
    np.testing.assert_allclose(ours / 255, theirs, atol=1.01 / 255)


def test_a_folder_written_from_a_single_file_is_whole(loaded: Backbone, file: Path, tmp_path: Path) -> None:
    base = family_of(str(file)).load()
    base.files.write_folder(base, tmp_path)
    unet = {name: parameter.contiguous() for name, parameter in base.network.named_parameters()}
    save_file(unet, tmp_path / "unet" / "diffusion_pytorch_model.safetensors", {"format": "pt"})
    again = family_of(str(tmp_path)).load()
    difference = again.sample(["a cat"], [1], steps=3)[0].astype(int) - loaded.sample(["a cat"], [1], steps=3)[0]
    assert np.abs(difference).max() <= 1


REAL: dict[str, tuple[Original, dict[str, Any], dict[str, dict[str, Any]]]] = {
    "sd1": (
        StableDiffusion1.original,
        {"cross_attention_dim": 768, "attention_head_dim": 8, "sample_size": 64, "use_linear_projection": False},
        {"text_encoder": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}},
    ),
    "sd2": (
        StableDiffusion2.original,
        {
            "cross_attention_dim": 1024,
            "attention_head_dim": [5, 10, 20, 20],
            "sample_size": 64,
            "use_linear_projection": True,
        },
        {"text_encoder": {"hidden_size": 1024, "num_hidden_layers": 23, "num_attention_heads": 16}},
    ),
    "sdxl": (
        StableDiffusionXL.original,
        {
            "block_out_channels": [320, 640, 1280],
            "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
            "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
            "transformer_layers_per_block": [1, 2, 10],
            "cross_attention_dim": 2048,
            "attention_head_dim": [5, 10, 20],
            "sample_size": 128,
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2816,
        },
        {
            "text_encoder": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12},
            "text_encoder_2": {
                "hidden_size": 1280,
                "num_hidden_layers": 32,
                "num_attention_heads": 20,
                "projection_dim": 1280,
                "hidden_act": "gelu",
            },
        },
    ),
}
"""of the published models: what their configurations say that no default does"""


@pytest.mark.parametrize("kind", REAL)
def test_the_configurations_of_the_real_models_are_told_from_their_shapes(kind: str) -> None:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    original, shape, texts = REAL[kind]
    with torch.device("meta"):
        unet = UNet2DConditionModel(**shape)
        vae = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            latent_channels=4,
        )
        encoders = {}
        for part, said in texts.items():
            config = CLIPTextConfig(**said, intermediate_size=4 * said["hidden_size"])
            kinds = CLIPTextModelWithProjection if "projection_dim" in said else CLIPTextModel
            encoders[part] = kinds(config)
    file: dict[str, torch.Tensor] = {}
    for part, module in {"unet": unet, "vae": vae}.items():
        file |= original.written(part, dict(module.named_parameters()), module.config)
    # an independent reader finds every tensor, under the names that our modules have
    assert set(convert_ldm_unet_checkpoint(dict(file), unet.config)) == set(unet.state_dict())
    assert set(convert_ldm_vae_checkpoint(dict(file), vae.config)) == set(vae.state_dict())
    for part, encoder in encoders.items():
        file |= original.written(part, dict(encoder.named_parameters()), {})
    shapes = {name: tuple(tensor.shape) for name, tensor in file.items()}
    assert original.recognises(shapes)
    told = unet_config(shapes, original)
    assert {name: value if isinstance(value, int | str | bool) else list(value) for name, value in shape.items()} == {
        name: told[name] for name in shape
    }
    built = {"block_out_channels": (320, 640, 1280, 1280), "layers_per_block": 2, "in_channels": 4, **shape}
    assert all(list(told[k]) == list(v) if isinstance(v, tuple) else told[k] == v for k, v in built.items())
    assert vae_config(shapes, original)["block_out_channels"] == [128, 256, 512, 512]
    assert vae_config(shapes, original)["layers_per_block"] == 2
    for part, said in texts.items():
        found = clip_config(shapes, original.towers[part])
        assert found | said == found


def test_the_last_layer_of_sd2s_text_encoder_is_not_read(tmp_path: Path) -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    tower = StableDiffusion2.original.towers["text_encoder"]
    shapes |= {tower.embedding: (49408, 1024), tower.place("embeddings.position_embedding.weight").key: (77, 1024)}
    shapes |= {tower.place(f"encoder.layers.{n}.mlp.fc1.weight").key: (4096, 1024) for n in range(24)}
    assert clip_config(shapes, tower)["num_hidden_layers"] == 24, "a file without it has only what is read"
    assert clip_config(shapes | {f"{tower.prefix}text_projection": (1024, 1024)}, tower)["num_hidden_layers"] == 23


def test_the_tokenizer_is_clips_own_byte_for_byte(sd15: Path) -> None:
    numbers, merges = vocabulary()
    assert numbers == json.loads((sd15 / "tokenizer" / "vocab.json").read_text())
    assert [" ".join(pair) for pair in merges] == (sd15 / "tokenizer" / "merges.txt").read_text().splitlines()[1:]
    assert clip_tokenizer()("a photo of").input_ids == [49406, 320, 1125, 539, 49407]
    padded = clip_tokenizer("!")("a", padding="max_length", max_length=5).input_ids
    assert padded == [49406, 320, 49407, 0, 0]


def test_texts_are_counted_with_a_single_files_tokenizer(file: Path) -> None:
    tokens = Tokens.of(str(file))
    assert (tokens.room, tokens.count("a photo of")) == (75, 3)
    assert tokens.fingerprint == Tokens.of(str(file)).fingerprint


def test_what_a_file_says_of_its_prediction_counts(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    assert said_prediction(path, {}, []) == {}
    assert said_prediction(path, {"modelspec.prediction_type": "v"}, []) == {"prediction_type": "v_prediction"}
    marked = said_prediction(path, {}, ["v_pred", "ztsnr"])
    assert marked["prediction_type"] == "v_prediction"
    assert marked["rescale_betas_zero_snr"]
    (tmp_path / "model.yaml").write_text('model:\n  target: ldm.models.x\n  params:\n    parameterization: "v"\n')
    assert said_prediction(path, {}, []) == {"prediction_type": "v_prediction"}
    (tmp_path / "model.yaml").write_text("model:\n  target: ldm.models.x\n")
    assert said_prediction(path, {}, []) == {"prediction_type": "epsilon"}


def test_a_network_shows_what_it_predicts(monkeypatch: pytest.MonkeyPatch) -> None:
    base = family_of("pocket").load()
    assert shown_prediction(base) == "epsilon"
    alpha = float(base.alphas_cumprod[-1])
    predict = base.predict

    def as_v(noisy: torch.Tensor, *others: Any) -> torch.Tensor:
        noise = predict(noisy, *others)
        clean = (noisy - (1 - alpha) ** 0.5 * noise) / alpha**0.5
        return alpha**0.5 * noise - (1 - alpha) ** 0.5 * clean.clamp(-3, 3)

    monkeypatch.setattr(base, "predict", as_v)
    assert shown_prediction(base) == "v_prediction"


def test_a_file_of_sd2_that_says_nothing_is_asked(tmp_path: Path) -> None:
    from tests.backbones.tiny import make_sd2

    folder = family_of(str(make_sd2(tmp_path / "base"))).load()
    said = json.loads(configs_text(folder)["velatura.parts"])
    said["scheduler"] |= {"prediction_type": "unknown"}
    path = tmp_path / "model.safetensors"
    save_file(single_file_of(folder, torch.float16), path, {"velatura.parts": json.dumps(said)})
    family = family_of(str(path))
    assert family.prediction == "unknown"
    base = family.load()
    assert base.prediction_type in ("epsilon", "v_prediction")
    assert base.scheduler_config["prediction_type"] == base.prediction_type
    assert base.architecture == {"epsilon": "stable-diffusion-v2-512"}.get(
        base.prediction_type, "stable-diffusion-v2-768-v"
    )


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["lora_unet_mid_block_attentions_0_proj_in.lora_down.weight"], "is an adapter"),
        (["emb_params"], "is a learned word"),
        (["double_blocks.0.img_attn.qkv.weight"], "is a FLUX model"),
        (["model.diffusion_model.input_blocks.0.0.weight"], "holds a U-Net of no known family"),
        (["conditioner.embedders.0.model.ln_final.weight", "model.diffusion_model.out.2.bias"], "is SDXL's refiner"),
        (["something"], "is no base model"),
    ],
)
def test_a_file_that_is_no_base_is_told_by_what_it_is(names: list[str], said: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({name: torch.ones(1) for name in names}, path)
    with pytest.raises(MissingBase, match=said):
        family_of(str(path))


def test_pickles_are_refused_with_how_to_convert_them(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    path.write_bytes(b"\x80\x04.")
    with pytest.raises(MissingBase, match=r"is a pickle, .*Convert it once to \.safetensors"):
        family_of(str(path))


def test_a_file_without_some_of_its_tensors_or_with_a_foreign_vocabulary_is_told(
    base: Backbone, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    whole = single_file_of(base, torch.float16)
    lost = "model.diffusion_model.middle_block.0.in_layers.2.weight"
    save_file({name: tensor for name, tensor in whole.items() if name != lost}, path, configs_text(base))
    with pytest.raises(MissingBase, match=rf"not a whole base model: it lacks {lost}"):
        family_of(str(path)).load()
    parts = json.loads(configs_text(base)["velatura.parts"])
    parts["text_encoder"]["vocab_size"] = 2048
    save_file(whole, path, {"velatura.parts": json.dumps(parts)})
    with pytest.raises(MissingBase, match=r"2048 tokens, which is not CLIP's .*model\.tokenizer/"):
        family_of(str(path)).load()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(MissingBase, match="cut off"):
        family_of(str(path))
