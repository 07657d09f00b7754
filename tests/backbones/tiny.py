"""Tiny random models with the layout of real ones, for tests that need a base and not its knowledge."""

import json
from pathlib import Path

import torch

from backbones.quiet import offline_and_quiet


def make_sd15(folder: Path, seed: int = 0, *, prediction_type: str = "epsilon", layers: int = 2) -> Path:
    """A randomly initialised model of SD 1.5's own layout and tokenizer, shrunk: every block type, fewer channels.

    ``layers`` is 2 per block in the real one, which makes the names and the number of its layers; 1 is twice as fast.
    """
    offline_and_quiet()
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from safetensors.torch import load_file, save_file
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(32, 64, 64, 64),
            down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            layers_per_block=layers,
            cross_attention_dim=32,
            attention_head_dim=8,
        )
        vae = AutoencoderKL(
            block_out_channels=(8, 8, 16, 16),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=4,
            sample_size=64,
            scaling_factor=0.18215,
        )
        text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=49408,
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                hidden_act="quick_gelu",
                bos_token_id=49406,
                eos_token_id=49407,
                pad_token_id=1,
            )
        )
    unet.save_pretrained(folder / "unet")
    vae.save_pretrained(folder / "vae")
    text_encoder.save_pretrained(folder / "text_encoder")
    weights = folder / "text_encoder" / "model.safetensors"
    names = {name: f"text_model.{name.removeprefix('text_model.')}" for name in load_file(weights)}
    save_file({names[name]: tensor for name, tensor in load_file(weights).items()}, weights, {"format": "pt"})
    write_tokenizer(folder / "tokenizer")
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
    write_json(
        folder / "model_index.json",
        {
            "_class_name": "StableDiffusionPipeline",
            "_diffusers_version": "0.6.0",
            "feature_extractor": ["transformers", "CLIPImageProcessor"],
            "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
            "scheduler": ["diffusers", "PNDMScheduler"],
            "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"],
            "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": ["diffusers", "AutoencoderKL"],
        },
    )
    return folder


def write_tokenizer(folder: Path) -> None:
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
            "pad_token": ends[1],
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
