"""Tiny random models with the layout of real ones, for tests that need a base and not its knowledge."""

import json
from pathlib import Path
from typing import Any

import torch

from backbones.quiet import offline_and_quiet


def make_sd15(folder: Path, seed: int = 0, *, prediction_type: str = "epsilon", layers: int = 2) -> Path:
    """A randomly initialised model of SD 1.5's own layout and tokenizer, shrunk: every block type, fewer channels.

    ``layers`` is 2 per block in the real one, which makes the names and the number of its layers; 1 is twice as fast.
    """
    offline_and_quiet()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        save(unet(layers=layers, cross_attention_dim=32, attention_head_dim=8), folder / "unet")
        save(vae(0.18215), folder / "vae")
        save(clip_text(32, "quick_gelu"), folder / "text_encoder")
    return described(folder, "StableDiffusionPipeline", prediction_type)


def make_sd2(folder: Path, seed: int = 0, *, prediction_type: str = "v_prediction", layers: int = 1) -> Path:
    """The same of SD 2.x: linear projections, heads by their width, OpenCLIP's text encoder; predicts v."""
    offline_and_quiet()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        heads = {"attention_head_dim": [1, 1, 1, 1], "use_linear_projection": True}
        save(unet(layers=layers, cross_attention_dim=32, **heads), folder / "unet")
        save(vae(0.18215), folder / "vae")
        save(clip_text(32, "gelu", layers=3), folder / "text_encoder")
    return described(folder, "StableDiffusionPipeline", prediction_type)


def make_sdxl(folder: Path, seed: int = 0, *, prediction_type: str = "epsilon", layers: int = 1) -> Path:
    """The same of SDXL: three blocks, the first without attention, two text encoders, size and cut told."""
    offline_and_quiet()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        told = {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 6 * 8 + 24,
        }
        shape = {
            "block_out_channels": (32, 64, 64),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "attention_head_dim": [1, 1, 1],
            "transformer_layers_per_block": [1, 1, 2],
            "use_linear_projection": True,
        }
        save(unet(layers=layers, cross_attention_dim=32 + 48, **shape, **told), folder / "unet")
        save(vae(0.13025), folder / "vae")
        save(clip_text(32, "quick_gelu"), folder / "text_encoder")
        save(clip_text(48, "gelu", pooled=24), folder / "text_encoder_2")
    return described(folder, "StableDiffusionXLPipeline", prediction_type)


def unet(*, layers: int, **shape: Any) -> Any:
    """With SD 1.x's blocks where nothing else is said."""
    from diffusers import UNet2DConditionModel

    usual = {
        "sample_size": 8,
        "block_out_channels": (32, 64, 64, 64),
        "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
        "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
    }
    return UNet2DConditionModel(layers_per_block=layers, **{**usual, **shape})


def vae(scaling_factor: float) -> Any:
    """The autoencoder that all families have, but for the factor."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=64,
        scaling_factor=scaling_factor,
    )


def clip_text(width: int, act: str, *, layers: int = 2, pooled: int = 0) -> Any:
    """A text encoder; ``pooled`` is the width of its vector of the whole text, where it has one."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=width,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=4,
        hidden_act=act,
        projection_dim=pooled or width,
        bos_token_id=49406,
        # the real one says 2, as all of its time did: the pooled state is then where the token's number is highest
        eos_token_id=2 if pooled else 49407,
        pad_token_id=1,
    )
    return CLIPTextModelWithProjection(config) if pooled else CLIPTextModel(config)


def save(module: Any, folder: Path) -> None:
    """As the real folders have it: a text encoder's tensors with the level that transformers 5.6 took out."""
    from safetensors.torch import load_file, save_file

    module.save_pretrained(folder)
    weights = folder / "model.safetensors"
    if weights.exists():
        tensors = {canonical(name): tensor for name, tensor in load_file(weights).items()}
        save_file(tensors, weights, {"format": "pt"})


def canonical(name: str) -> str:
    return name if name.startswith(("text_model.", "text_projection.")) else f"text_model.{name}"


def described(folder: Path, pipeline: str, prediction_type: str) -> Path:
    """Tokenizers, the schedule, and the file that says what the folder is."""
    twice = (folder / "text_encoder_2").is_dir()
    write_tokenizer(folder / "tokenizer")
    if twice:
        write_tokenizer(folder / "tokenizer_2", padding="!")
    write_json(
        folder / "scheduler" / "scheduler_config.json",
        {
            "_class_name": "PNDMScheduler",
            "_diffusers_version": "0.6.0",
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "beta_start": 0.00085,
            "num_train_timesteps": 1000,
            "set_alpha_to_one": False,
            "skip_prk_steps": True,
            "steps_offset": 1,
            "trained_betas": None,
            "clip_sample": False,
            **({} if prediction_type == "epsilon" else {"prediction_type": prediction_type}),
        },
    )
    # as in the real folder: a safety checker is named, and is neither needed nor looked for
    checker = {
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    }
    second = {
        "force_zeros_for_empty_prompt": True,
        "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
        "tokenizer_2": ["transformers", "CLIPTokenizer"],
    }
    write_json(
        folder / "model_index.json",
        {
            "_class_name": pipeline,
            "_diffusers_version": "0.6.0",
            **(second if twice else checker),
            "scheduler": ["diffusers", "PNDMScheduler"],
            "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"],
            "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": ["diffusers", "AutoencoderKL"],
        },
    )
    return folder


def write_tokenizer(folder: Path, padding: str = "<|endoftext|>") -> None:
    """CLIP's own tokenizer, from the vocabulary that comes with open_clip."""
    from open_clip.tokenizer import SimpleTokenizer

    tokenizer = SimpleTokenizer()
    ranks = sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.__getitem__)
    ends = ("<|startoftext|>", "<|endoftext|>")
    renamed = dict(zip(("<start_of_text>", "<end_of_text>"), ends, strict=True))
    vocabulary = {renamed.get(token, token): number for token, number in tokenizer.encoder.items()}
    write_json(folder / "vocab.json", vocabulary)
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *(" ".join(pair) for pair in ranks), ""]))
    write_json(
        folder / "tokenizer_config.json",
        {
            "add_prefix_space": False,
            "bos_token": ends[0],
            "eos_token": ends[1],
            "pad_token": padding,
            "unk_token": ends[1],
            "do_lower_case": True,
            "errors": "replace",
            "model_max_length": 77,
            "tokenizer_class": "CLIPTokenizer",
        },
    )


def make_clip(folder: Path, seed: int = 0) -> Path:
    """A randomly initialised open_clip folder (``local-dir:``), with CLIP's own tokenizer, shrunk."""
    import open_clip
    from safetensors.torch import save_file

    shape = {
        "embed_dim": 16,
        "vision_cfg": {"layers": 2, "width": 32, "head_width": 16, "patch_size": 8, "image_size": 32},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = open_clip.CLIP(**shape)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    prepare = {
        "mean": [0.48, 0.46, 0.41],
        "std": [0.27, 0.26, 0.28],
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    }
    write_json(folder / "open_clip_config.json", {"model_cfg": shape, "preprocess_cfg": prepare})
    return folder


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2))
