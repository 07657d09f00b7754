"""The pocket base loads with stock loaders, is one CLIP throughout, and draws."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import open_clip
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image, ImageDraw
from transformers import CLIPTokenizer

BASE = Path(__file__).resolve().parents[2] / "backbones" / "pocket"
TEXTS = [
    "an emoji of a frog",
    "a noto style emoji of a red heart on a blue background",
    "a sks squid, black and white",
    "Größe 漢字 🐸",
    "",
    "many words " * 60,
]

pytestmark = pytest.mark.skipif(not (BASE / "model_index.json").exists(), reason="the pocket base is not made yet")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Several threads on shared cores are slower than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def pipeline() -> StableDiffusionPipeline:
    loaded = StableDiffusionPipeline.from_pretrained(str(BASE), torch_dtype=torch.float32, local_files_only=True)
    loaded.set_progress_bar_config(disable=True)
    return loaded


@pytest.fixture(scope="module")
def clip() -> open_clip.CLIP:
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{BASE / 'clip'}", precision="fp32")
    return model.eval()


@pytest.fixture(scope="module")
def clip_tokenizer() -> open_clip.tokenizer.HFTokenizer:
    return open_clip.get_tokenizer(f"local-dir:{BASE / 'clip'}")


def drawn(pipeline: StableDiffusionPipeline, prompt: str, seed: int) -> npt.NDArray[np.float32]:
    """One small picture in 0..1, in few steps."""
    generator = torch.Generator().manual_seed(seed)
    made = pipeline(prompt, height=64, width=64, num_inference_steps=8, generator=generator, output_type="np")
    picture: npt.NDArray[np.float32] = made.images[0]
    return picture


def flat_pictures() -> torch.Tensor:
    """Three synthetic pictures (3, 3, 64, 64) in -1..1: a disc, a box with an outline, stripes of colours."""
    pages = []
    for kind in range(3):
        page = Image.new("RGB", (256, 256), ("white", "navy", "gold")[kind])
        pen = ImageDraw.Draw(page)
        if kind == 0:
            pen.ellipse((40, 40, 216, 216), fill="tomato")
        elif kind == 1:
            pen.rectangle((60, 80, 200, 190), fill="lightgreen", outline="black", width=10)
        else:
            for i, colour in enumerate(("purple", "white", "teal")):
                pen.rectangle((30 + 70 * i, 40, 80 + 70 * i, 210), fill=colour)
        pages.append(np.asarray(page.resize((64, 64), Image.Resampling.BOX)))
    return torch.from_numpy(np.stack(pages)).permute(0, 3, 1, 2).float() / 127.5 - 1


def test_all_of_it_is_at_most_28_megabytes() -> None:
    assert sum(path.stat().st_size for path in BASE.rglob("*") if path.suffix != ".png") <= 28e6


def test_weights_are_half_precision_safetensors_only() -> None:
    assert not [path for path in BASE.rglob("*") if path.suffix in {".bin", ".pt", ".ckpt", ".pth"}]
    assert sum(path.stat().st_size for path in BASE.rglob("*.safetensors")) < 2.05 * 13.5e6


def test_the_stock_pipeline_has_the_parts_of_stable_diffusion_1(pipeline: StableDiffusionPipeline) -> None:
    assert pipeline.scheduler.config.prediction_type == "epsilon"
    assert pipeline.unet.config.cross_attention_dim == pipeline.text_encoder.config.hidden_size == 192
    assert pipeline.vae.config.latent_channels == pipeline.unet.config.in_channels == 4
    assert pipeline.tokenizer.model_max_length == pipeline.text_encoder.config.max_position_embeddings == 77
    assert pipeline.safety_checker is None


def test_latents_have_unit_spread(pipeline: StableDiffusionPipeline) -> None:
    with torch.no_grad():
        latents = pipeline.vae.encode(flat_pictures()).latent_dist.mean * pipeline.vae.config.scaling_factor
    assert latents.shape == (3, 4, 16, 16)
    assert 0.4 < latents.std() < 2.5


def test_the_text_encoder_is_the_text_tower_of_the_clip(
    pipeline: StableDiffusionPipeline, clip: open_clip.CLIP, clip_tokenizer: open_clip.tokenizer.HFTokenizer
) -> None:
    ids = pipeline.tokenizer(TEXTS, padding="max_length", truncation=True, max_length=77, return_tensors="pt")
    with torch.no_grad():
        pooled = pipeline.text_encoder(ids.input_ids).pooler_output @ clip.text_projection
        tower = clip.encode_text(clip_tokenizer(TEXTS))
    torch.testing.assert_close(pooled, tower, rtol=1e-3, atol=1e-3)


def test_tokenizers_agree_and_lose_nothing(
    pipeline: StableDiffusionPipeline, clip_tokenizer: open_clip.tokenizer.HFTokenizer
) -> None:
    assert isinstance(pipeline.tokenizer, CLIPTokenizer)
    for text in TEXTS:
        ids = pipeline.tokenizer(text, truncation=True, max_length=77).input_ids
        assert clip_tokenizer([text])[0, : len(ids)].tolist() == ids
    ids = pipeline.tokenizer("größe 漢字 🐸").input_ids
    assert pipeline.tokenizer.decode(ids, skip_special_tokens=True).replace(" ", "") == "größe漢字🐸"


def test_a_seed_gives_one_picture_and_another_seed_another(pipeline: StableDiffusionPipeline) -> None:
    first, again, other = (drawn(pipeline, "an emoji of a red heart", seed) for seed in (1, 1, 2))
    assert first.shape == (64, 64, 3)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 0.01


def test_the_prompt_decides_what_is_drawn(pipeline: StableDiffusionPipeline) -> None:
    def ground(colour: str) -> npt.NDArray[np.float32]:
        picture = drawn(pipeline, f"a noto style emoji of a red heart on a {colour} background", seed=3)
        border: npt.NDArray[np.float32] = np.median(np.concatenate([picture[0], picture[-1]]), axis=0)
        return border

    blue, yellow = ground("blue"), ground("yellow")
    assert blue[2] > blue[0]
    assert yellow[0] > yellow[2]


def test_the_autoencoder_keeps_a_picture(pipeline: StableDiffusionPipeline) -> None:
    x = flat_pictures()
    with torch.no_grad():
        y = pipeline.vae.decode(pipeline.vae.encode(x).latent_dist.mean).sample.clamp(-1, 1)
    psnr = -10 * ((y - x) ** 2 / 4).mean((1, 2, 3)).log10()
    assert psnr.min() > 20, psnr
    assert psnr.mean() > 23, psnr


def test_the_clip_tells_colours_of_the_ground(
    clip: open_clip.CLIP, clip_tokenizer: open_clip.tokenizer.HFTokenizer
) -> None:
    texts = clip_tokenizer([f"an emoji on {colour} background" for colour in ("a white", "a blue", "a yellow")])
    with torch.no_grad():
        alike = clip.encode_image(flat_pictures(), normalize=True) @ clip.encode_text(texts, normalize=True).T
    assert alike.argmax(1).tolist() == [0, 1, 2]
