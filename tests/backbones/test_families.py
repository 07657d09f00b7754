import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from backbones.backbone import Backbone
from backbones.family import family_of
from core.errors import MissingBase
from tests.backbones.conftest import MAKERS
from tests.backbones.pictures import picture
from tests.backbones.stock import stock_picture, stock_pipeline
from tests.backbones.tiny import make_sd15


def test_every_family_encodes_predicts_and_decodes_with_fitting_shapes(loaded: Backbone) -> None:
    side = loaded.resolution
    latents = loaded.encode_pictures([picture(1, side, side), picture(2, side, side)])
    assert latents.dtype == torch.float32
    assert latents.shape[0] == 2
    assert latents.shape[2] == side // loaded.latent_scale
    conditioning = loaded.encode_text(["a red heart", "a blue heart"])
    assert all(len(state) == 2 for state in conditioning.values())
    with torch.no_grad():
        predicted = loaded.predict(latents, torch.tensor([10, 900]), conditioning)
    assert predicted.shape == latents.shape
    assert [p.shape for p in loaded.decode(latents)] == [(side, side, 3)] * 2


def test_every_family_encodes_each_thing_alike_whatever_stands_beside_it(loaded: Backbone) -> None:
    side = loaded.resolution
    together = loaded.encode_pictures([picture(n, side, side) for n in range(3)])
    assert torch.equal(together[1:2], loaded.encode_pictures([picture(1, side, side)]))
    both, alone = loaded.encode_text(["a", "a long red thing"]), loaded.encode_text(["a long red thing"])
    assert all(torch.equal(both[name][1:], alone[name]) for name in both)


def test_every_family_samples_from_the_seed_alone(loaded: Backbone) -> None:
    pair = loaded.sample(["a cat", "a dog"], [1, 2], steps=3)
    torch.manual_seed(5)
    alone = loaded.sample(["a dog"], [2], steps=3)[0]
    np.testing.assert_array_equal(pair[1], alone)
    assert (loaded.sample(["a dog"], [3], steps=3)[0] != alone).any()
    assert (loaded.sample(["a dog"], [2], steps=3, guidance=1.0)[0] != alone).any()


def test_every_family_is_loaded_frozen_and_quiet(loaded: Backbone, capfd: pytest.CaptureFixture[str]) -> None:
    modules = [loaded.network, loaded.vae, *loaded.text_encoders.values()]
    assert not any(
        parameter.requires_grad or module.training for module in modules for parameter in module.parameters()
    )
    family_of(str(loaded.folder)).load()
    assert capfd.readouterr() == ("", "")


def test_every_family_has_fingerprints_that_follow_from_the_weights(loaded: Backbone, tmp_path: Path) -> None:
    kind = family_of(str(loaded.folder)).kind
    parts = ("vae", "text", "network")
    copy = family_of(str(shutil.copytree(loaded.folder, tmp_path / "copy"))).load()
    other = family_of(str(MAKERS[kind](tmp_path / "other", 1))).load()  # type: ignore[call-arg]
    assert len({loaded.fingerprint(part) for part in parts}) == len(parts)
    for part in parts:
        assert copy.fingerprint(part) == loaded.fingerprint(part)
        assert other.fingerprint(part) != loaded.fingerprint(part)


def test_the_samples_of_every_family_are_those_of_its_stock_pipeline(loaded: Backbone) -> None:
    theirs = stock_picture(stock_pipeline(loaded), "a red heart", 7)
    ours = loaded.sample(["a red heart"], [7], steps=4, guidance=4.0)[0]
    np.testing.assert_allclose(ours / 255, theirs, atol=1.01 / 255)


def test_the_tokenizer_of_the_tiny_model_is_clips_own(base: Backbone) -> None:
    tokens = base.pipeline.tokenizer("a photo of").input_ids
    assert tokens == [49406, 320, 1125, 539, 49407]


def test_the_resolution_and_the_factors_come_from_the_configurations(sd15: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(sd15, tmp_path / "base")
    for part, change in {"unet": {"sample_size": 64}, "vae": {"scaling_factor": 0.5}}.items():
        config = folder / part / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | change))
    base = family_of(str(folder)).load()
    assert base.resolution == 512
    half = base.encode_pictures([picture(1)]) * (0.18215 / 0.5)
    torch.testing.assert_close(half, family_of(str(sd15)).load().encode_pictures([picture(1)]))


def test_half_precision_files_are_loaded_as_the_precision_asked_for(sd15: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(sd15, tmp_path / "base")
    plain = folder / "unet" / "diffusion_pytorch_model.safetensors"
    save_file(
        {k: v.half() for k, v in load_file(plain).items()}, plain.with_suffix(".fp16.safetensors"), {"format": "pt"}
    )
    plain.with_suffix(".fp16.safetensors").rename(folder / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    plain.unlink()
    assert next(family_of(str(folder)).load().network.parameters()).dtype == torch.float32
    base = family_of(str(folder)).load(precision="bf16")
    assert next(base.network.parameters()).dtype == torch.bfloat16
    assert base.encode_text([""])["hidden"].dtype == torch.float32


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("unet", r"unet/ is missing"),
        ("vae/config.json", r"vae/ lacks config\.json"),
        ("text_encoder/model.safetensors", r"text_encoder holds no weights as \.safetensors"),
        ("tokenizer/merges.txt", r"tokenizer/ lacks merges\.txt"),
        ("scheduler", r"scheduler/ is missing"),
        ("model_index.json", r"no model_index\.json; expected a diffusers folder"),
    ],
)
def test_a_base_that_is_not_whole_is_refused_with_what_is_missing(
    sd15: Path, tmp_path: Path, missing: str, said: str
) -> None:
    folder = shutil.copytree(sd15, tmp_path / "base")
    (shutil.rmtree if (folder / missing).is_dir() else Path.unlink)(folder / missing)
    with pytest.raises(MissingBase, match=said if missing != "unet" else r"unet/config\.json is missing"):
        family_of(str(folder)).load()


def test_weights_that_are_cut_off_are_told_before_anything_is_loaded(sd15: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(sd15, tmp_path / "base")
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1000])
    with pytest.raises(MissingBase, match=rf"cut off: {len(whole) - 1000} bytes, its header says {len(whole)}"):
        family_of(str(folder)).load()
    weights.write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(MissingBase, match="not a whole safetensors file"):
        family_of(str(folder)).load()


def test_pickled_weights_are_never_loaded(sd15: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(sd15, tmp_path / "base")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").rename(folder / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(MissingBase, match="is a pickle, which is never loaded"):
        family_of(str(folder)).load()


def test_a_base_that_predicts_v_or_something_unknown_is_told_apart(tmp_path: Path) -> None:
    family = family_of(str(make_sd15(tmp_path / "v", prediction_type="v_prediction", layers=1)))
    assert family.prediction == family.load().prediction_type == "v_prediction"
    with pytest.raises(MissingBase, match=r"predicts sample, .* known: epsilon, v_prediction"):
        family_of(str(make_sd15(tmp_path / "sample", prediction_type="sample", layers=1))).load()


def test_a_base_for_inpainting_is_refused(sd15: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(sd15, tmp_path / "base")
    config = folder / "unet" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"in_channels": 9}))
    with pytest.raises(MissingBase, match="takes 9 channels .* it is a base for inpainting"):
        family_of(str(folder)).load()


def test_a_base_that_is_nowhere_or_unknown_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingBase, match=r"no folder .*expected \"pocket\", a diffusers folder, a \.safetensors file"):
        family_of(str(tmp_path / "nowhere"))
    with pytest.raises(MissingBase, match=r"no file .*x\.safetensors"):
        family_of(str(tmp_path / "x.safetensors"))
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline", "transformer": []}')
    with pytest.raises(MissingBase, match=r"is a FluxPipeline, which no family knows; known: .*sd1"):
        family_of(str(tmp_path))


def test_naming_a_family_imports_nothing_heavy(sd15: Path) -> None:
    code = (
        "import sys; from backbones.family import Family, family_of; family_of(sys.argv[1]); Family.kinds();"
        "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(sd15)], check=True)
