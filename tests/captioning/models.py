"""Tiny random models that speak or score, laid out as the real ones are."""

import json
from pathlib import Path
from typing import Any

import torch

from backbones.quiet import offline_and_quiet
from tests.backbones.tiny import write_json

COCA = {
    "embed_dim": 32,
    "vision_cfg": {
        "layers": 1, "width": 32, "head_width": 16, "patch_size": 16, "image_size": 32,
        "attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True,
    },
    "text_cfg": {
        "context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2,
        "embed_cls": True, "output_tokens": True,
    },
    "multimodal_cfg": {
        "context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2, "attn_pooler_heads": 2,
    },
    "custom_text": True,
}  # fmt: skip
SIGLIP = {
    "embed_dim": 16,
    "init_logit_bias": -2,
    "custom_text": True,
    "vision_cfg": {"layers": 1, "width": 32, "head_width": 16, "patch_size": 16, "image_size": 32},
    "text_cfg": {
        "context_length": 16, "vocab_size": 64, "hf_tokenizer_name": "tokenizer", "width": 32, "heads": 2, "layers": 1,
        "no_causal_mask": True, "proj_bias": True, "pool_type": "last",
    },
}  # fmt: skip
HALF = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
SAID = "[PAD] [UNK] [CLS] [SEP] [MASK] a red apple green pear on white ground the of cat dog with two in and"
WORDS = SAID.split(" ")


def make_open_clip(folder: Path, shape: dict[str, Any], seed: int = 0) -> Path:
    """A model of open_clip's from a configuration of ours; every weight is drawn, none is left as memory had it."""
    offline_and_quiet()
    import open_clip
    from safetensors.torch import save_file

    config = folder / "own_shape.json"
    write_json(config, shape)
    open_clip.add_model_config(config)
    model = open_clip.create_model("own_shape", load_weights=False)
    rng = torch.Generator().manual_seed(seed)
    state = {
        name: weight if weight.ndim == 0 or "ln_" in name else torch.randn(weight.shape, generator=rng) * 0.25
        for name, weight in model.state_dict().items()
    }
    save_file({name: weight.contiguous() for name, weight in state.items()}, folder / "open_clip_model.safetensors")
    write_json(folder / "open_clip_config.json", {"model_cfg": shape, "preprocess_cfg": HALF})
    return folder


def write_words(folder: Path) -> None:
    """A tokenizer that knows a few words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="[CLS]", eos_token="[SEP]", **special
    ).save_pretrained(folder)


def make_siglip(folder: Path) -> Path:
    """A random SigLIP: sigmoid, own preprocessing, a tokenizer of transformers'."""
    folder.mkdir(parents=True, exist_ok=True)
    write_words(folder)
    return make_open_clip(folder, SIGLIP)


def make_blip(folder: Path) -> Path:
    """A random BLIP with its processor."""
    offline_and_quiet()
    from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration, BlipImageProcessor, BlipProcessor

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    tokenizer = BertTokenizer(str(folder / "vocab.txt"))
    small = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {
        **small, "vocab_size": len(WORDS), "encoder_hidden_size": 32, "bos_token_id": 2, "eos_token_id": 3,
        "sep_token_id": 3, "pad_token_id": 0, "max_position_embeddings": 32, "is_decoder": True,
    }  # fmt: skip
    config = BlipConfig(
        text_config=text, vision_config={**small, "image_size": 32, "patch_size": 16}, projection_dim=16
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = BlipForConditionalGeneration(config)
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(folder)
    images = BlipImageProcessor(size={"height": 32, "width": 32})
    BlipProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def make_encoder_decoder(folder: Path) -> Path:
    """A random ViT with a random GPT-2 behind it."""
    offline_and_quiet()
    from transformers import GPT2Config, GPT2LMHeadModel, ViTConfig, ViTImageProcessor, ViTModel
    from transformers import VisionEncoderDecoderModel as Both

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vision = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
        encoder = ViTModel(ViTConfig(**vision, image_size=32, patch_size=16))
        decoder = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=len(WORDS), n_embd=32, n_layer=1, n_head=2, n_positions=32, bos_token_id=2, eos_token_id=3,
                add_cross_attention=True, is_decoder=True,
            )
        )  # fmt: skip
        model = Both(encoder=encoder, decoder=decoder)
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.3)
    for config in (model.config, model.generation_config):
        config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 2, 0, 3
    model.save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    write_words(folder)
    return folder


def shape_of(folder: Path) -> dict[str, Any]:
    """What a folder says of its model."""
    read: dict[str, Any] = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    return read
