"""The configurations of a base's parts, told from the shapes of the tensors in its one original file."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

from backbones.original import Original, Tower
from backbones.single_file import UNET, VAE

Shapes = Mapping[str, tuple[int, ...]]
"""by the tensors' names in the file"""
HEAD = 64
"""width of an attention head in all CLIPs, and in the networks of SD 2.x and SDXL"""


def configs_of(shapes: Shapes, original: Original) -> dict[str, dict[str, Any]]:
    """By part; a `KeyError` names a tensor without which it is no whole base."""
    parts = {part: clip_config(shapes, tower) for part, tower in original.towers.items()}
    return {"unet": unet_config(shapes, original), "vae": vae_config(shapes, original), **parts}


def unet_config(shapes: Shapes, original: Original) -> dict[str, Any]:
    """As `UNet2DConditionModel` takes it."""
    blocks = unet_blocks(shapes)
    channels = [block[-1][0] for block in blocks]
    depths = [max(depth for _, depth in block) for block in blocks]
    down = ["CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in depths]
    middle = f"{UNET}middle_block.1."
    config: dict[str, Any] = {
        "_class_name": "UNet2DConditionModel",
        "sample_size": original.sample_size,
        "in_channels": shapes[f"{UNET}input_blocks.0.0.weight"][1],
        "out_channels": shapes[f"{UNET}out.2.weight"][0],
        "block_out_channels": channels,
        "layers_per_block": len(blocks[0]),
        "down_block_types": down,
        "up_block_types": [kind.replace("Down", "Up") for kind in reversed(down)],
        "cross_attention_dim": shapes[f"{middle}transformer_blocks.0.attn2.to_k.weight"][1],
        "attention_head_dim": original.heads or [max(1, width // HEAD) for width in channels],
        "transformer_layers_per_block": 1 if max(depths) == 1 else [max(1, depth) for depth in depths],
        "use_linear_projection": len(shapes[f"{middle}proj_in.weight"]) == 2,
    }
    if f"{UNET}label_emb.0.0.weight" in shapes:
        told = shapes[f"{UNET}label_emb.0.0.weight"][1]
        pooled = next(shapes[f"{t.prefix}text_projection"][1] for t in original.towers.values() if t.open_clip)
        config |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": (told - pooled) // 6,  # six numbers: two sizes and a corner
            "projection_class_embeddings_input_dim": told,
        }
    return config


def unet_blocks(shapes: Shapes) -> list[list[tuple[int, int]]]:
    """Of each block on the way down: the layers' channels, and how many transformer blocks follow each."""
    blocks: list[list[tuple[int, int]]] = [[]]
    for number in count(1):
        place = f"{UNET}input_blocks.{number}."
        if f"{place}0.op.weight" in shapes:
            blocks.append([])
        elif f"{place}0.out_layers.3.weight" in shapes:
            depth = next(n for n in count() if f"{place}1.transformer_blocks.{n}.attn1.to_q.weight" not in shapes)
            blocks[-1].append((shapes[f"{place}0.out_layers.3.weight"][0], depth))
        else:
            break
    if not blocks[0]:
        raise KeyError(f"{UNET}input_blocks.1.0.out_layers.3.weight")
    return blocks


def vae_config(shapes: Shapes, original: Original) -> dict[str, Any]:
    """As `AutoencoderKL` takes it."""
    first = "encoder.down.{0}.block.0.conv1.weight"
    blocks = next(n for n in count() if VAE + first.format(n) not in shapes)
    inner = next(n for n in count() if f"{VAE}encoder.down.0.block.{n}.conv1.weight" not in shapes)
    return {
        "_class_name": "AutoencoderKL",
        "block_out_channels": [shapes[VAE + first.format(n)][0] for n in range(blocks)],
        "down_block_types": ["DownEncoderBlock2D"] * blocks,
        "up_block_types": ["UpDecoderBlock2D"] * blocks,
        "layers_per_block": inner,
        "latent_channels": shapes[f"{VAE}post_quant_conv.weight"][0],
        "sample_size": original.sample_size * 2 ** (blocks - 1),
        "scaling_factor": original.scaling_factor,
    }


def clip_config(shapes: Shapes, tower: Tower) -> dict[str, Any]:
    """As `CLIPTextConfig` takes it."""
    words, width = shapes[tower.embedding]
    layers = next(n for n in count() if tower.place(f"encoder.layers.{n}.mlp.fc1.weight").key not in shapes)
    projection = shapes.get(f"{tower.prefix}text_projection") if tower.open_clip else None
    alone = tower.prefix.startswith("cond_stage_model.")
    if tower.open_clip and alone and projection is not None:
        layers -= 1  # SD 2.x reads the last but one layer, and readers leave the last one out, as our own files do
    return {
        "architectures": ["CLIPTextModel" if alone or not tower.open_clip else "CLIPTextModelWithProjection"],
        "model_type": "clip_text_model",
        "vocab_size": words,
        "hidden_size": width,
        "intermediate_size": shapes[tower.place("encoder.layers.0.mlp.fc1.weight").key][0],
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, width // HEAD),
        "max_position_embeddings": shapes[tower.place("embeddings.position_embedding.weight").key][0],
        "hidden_act": "gelu" if tower.open_clip else "quick_gelu",
        "projection_dim": projection[1] if projection is not None else width,
        "bos_token_id": words - 2,
        "eos_token_id": words - 1,
        "pad_token_id": words - 1,
    }
