"""Training states in, the folder that stock loaders read out, swapped in whole."""

import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline
from open_clip.model import CLIP
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from scripts.pocket import clip as clips
from scripts.pocket import unet as unets
from scripts.pocket import vae as vaes
from scripts.pocket.data import Data
from scripts.pocket.tokenizer import CONTEXT, SIZE
from scripts.pocket.training import averaged


def text_encoder(clip: CLIP) -> CLIPTextModel:
    """The CLIP's text tower in transformers' clothes: same numbers out."""
    config = CLIPTextConfig(
        vocab_size=SIZE,
        hidden_size=192,
        intermediate_size=768,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        hidden_act="gelu",
        projection_dim=192,
        bos_token_id=SIZE - 2,
        eos_token_id=SIZE - 1,
        pad_token_id=SIZE - 1,
    )
    tower = {
        "embeddings.token_embedding.weight": clip.token_embedding.weight,
        "embeddings.position_embedding.weight": clip.positional_embedding,
        "final_layer_norm.weight": clip.ln_final.weight,
        "final_layer_norm.bias": clip.ln_final.bias,
    }
    for i, block in enumerate(clip.transformer.resblocks):
        to = f"encoder.layers.{i}"
        for kind in ("weight", "bias"):
            parts = getattr(block.attn, f"in_proj_{kind}").chunk(3)
            tower |= {f"{to}.self_attn.{n}_proj.{kind}": part for n, part in zip("qkv", parts, strict=True)}
            tower[f"{to}.self_attn.out_proj.{kind}"] = getattr(block.attn.out_proj, kind)
            tower[f"{to}.layer_norm1.{kind}"] = getattr(block.ln_1, kind)
            tower[f"{to}.layer_norm2.{kind}"] = getattr(block.ln_2, kind)
            tower[f"{to}.mlp.fc1.{kind}"] = getattr(block.mlp.c_fc, kind)
            tower[f"{to}.mlp.fc2.{kind}"] = getattr(block.mlp.c_proj, kind)
    model = CLIPTextModel(config).eval()
    prefix = "text_model." if any(key.startswith("text_model.") for key in model.state_dict()) else ""
    model.load_state_dict({prefix + key: value.detach().clone() for key, value in tower.items()})
    return model


def vae(data: Data, scaling_factor: float) -> AutoencoderKL:
    """The averaged autoencoder with the factor that its latents are multiplied by."""
    network = vaes.build(scaling_factor)
    network.load_state_dict(averaged(data.folder / "vae.pt"))
    return network.eval()


def scheduler() -> DDIMScheduler:
    """Stable Diffusion 1.x's noise schedule."""
    return DDIMScheduler(**unets.SCHEDULE, set_alpha_to_one=False, steps_offset=1)


def pipeline(data: Data) -> StableDiffusionPipeline:
    """All parts as they stand now, put together."""
    return StableDiffusionPipeline(
        vae=vae(data, unets.cached(data).scaling_factor),
        text_encoder=text_encoder(clips.load(data.folder / "clip.pt")),
        tokenizer=CLIPTokenizer.from_pretrained(str(data.folder / "tokenizer")),
        unet=unets.trained(data.folder),
        scheduler=scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def prefix_keys(path: Path) -> None:
    """Name the keys as SD 1.x does: transformers before 5.6 reads no others, later ones read these too."""
    tower = {f"text_model.{key.removeprefix('text_model.')}": value for key, value in load_file(path).items()}
    save_file(tower, path, metadata={"format": "pt"})


def half(network: CLIP) -> dict[str, Tensor]:
    """A state dict in fp16, without what a loader computes itself."""
    return {
        key: (value.half() if value.is_floating_point() else value).contiguous()
        for key, value in network.state_dict().items()
        if key != "attn_mask"
    }


def save_clip(data: Data, folder: Path) -> None:
    """The files that open_clip's ``local-dir:`` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_cfg": {
            "embed_dim": clips.WIDTH,
            "vision_cfg": clips.VISION,
            "text_cfg": {**clips.TEXT, "hf_tokenizer_name": "tokenizer"},
        },
        "preprocess_cfg": {
            "mean": [clips.MEAN] * 3,
            "std": [clips.SPREAD] * 3,
            "interpolation": "bicubic",
            "resize_mode": "squash",
        },
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file(half(clips.load(data.folder / "clip.pt")), folder / "open_clip_model.safetensors")


def widen(config: Path) -> None:
    """Ask for float32 in memory: transformers would keep the file's fp16, and diffusers loads the others as float32."""
    config.write_text(json.dumps({**json.loads(config.read_text()), "dtype": "float32"}, indent=2) + "\n")


def export(data: Data, target: Path) -> None:
    """Write everything beside ``target``, then swap; pictures and card that stood there move along."""
    writing, old = target.with_name(f".{target.name}.writing"), target.with_name(f".{target.name}.old")
    for left in (writing, old):
        shutil.rmtree(left, ignore_errors=True)
    pipeline(data).to(dtype=torch.float16).save_pretrained(writing, safe_serialization=True)
    save_clip(data, writing / "clip")
    for folder in (writing / "tokenizer", writing / "clip"):  # SD 1.x's own files, which every transformers reads
        (folder / "tokenizer.json").unlink(missing_ok=True)
        for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
            shutil.copy(data.folder / "tokenizer" / name, folder / name)
    prefix_keys(writing / "text_encoder" / "model.safetensors")
    widen(writing / "text_encoder" / "config.json")
    for path in writing.rglob("*.safetensors"):
        path.chmod(0o644)
    if target.exists():
        for path in target.iterdir():
            if path.is_file() and not (writing / path.name).exists():
                shutil.copy(path, writing / path.name)
        target.replace(old)
    target.parent.mkdir(parents=True, exist_ok=True)
    writing.replace(target)
    shutil.rmtree(old, ignore_errors=True)
