"""Layers of adapter files by one name, however the file spells it: kohya's, LyCORIS's, diffusers' and peft's ways.

That name is diffusers' own path with the part in front: ``unet.mid_block.attentions.0.proj_in``,
``text_encoder.text_model.encoder.layers.0.mlp.fc1``. A layer of an architecture that is not known here keeps the name
that it has in its file; it can be merged and resized, and not be written in another layout.
"""

from __future__ import annotations

import re

from backbones.original_names import diffusers_path, original_path

SIDES = {
    "lora_unet_": "unet",
    "lora_te_": "text_encoder",
    "lora_te1_": "text_encoder",
    "lora_te2_": "text_encoder_2",
}
"""how a layer's name begins in kohya's files, and the part that it is in"""
WORDS = (
    *("down_blocks", "up_blocks", "mid_block", "resnets", "attentions", "transformer_blocks", "downsamplers"),
    *("upsamplers", "attn1", "attn2", "to_q", "to_k", "to_v", "to_out", "ff", "net", "proj", "proj_in", "proj_out"),
    *("conv", "conv1", "conv2", "conv_in", "conv_out", "conv_shortcut", "time_emb_proj", "time_embedding"),
    *("add_embedding", "linear_1", "linear_2", "norm", "norm1", "norm2", "norm3", "conv_norm_out", "text_model"),
    *("encoder", "layers", "self_attn", "q_proj", "k_proj", "v_proj", "out_proj", "mlp", "fc1", "fc2", "layer_norm1"),
    *("layer_norm2", "final_layer_norm", "text_projection", "embeddings", "token_embedding", "position_embedding"),
)
"""the steps of a path; some have an underscore of their own"""
_STEP = re.compile(rf"({'|'.join(sorted(WORDS, key=len, reverse=True))}|\d+)(?:_|$)")
_ORIGINAL = re.compile(r"(input_blocks|output_blocks|middle_block|time_embed|label_emb|out)_(\d+)(?:_|$)")


def dotted(underscored: str) -> str | None:
    """A module's path from its name in a file, ``down_blocks_0_resnets_1_conv1``; none where a step is not known."""
    steps, at = [], 0
    while at < len(underscored):
        found = _STEP.match(underscored, at)
        if found is None:
            return None
        steps.append(found[1])
        at = found.end()
    return ".".join(steps)


def from_kohya(name: str) -> str:
    """The name of a layer of kohya's and LyCORIS's files; the same again where it is not known."""
    prefix = next((prefix for prefix in SIDES if name.startswith(prefix)), "")
    if not prefix:
        return name
    rest, side = name.removeprefix(prefix), SIDES[prefix]
    if side == "unet" and _ORIGINAL.match(rest):
        path = diffusers_path(_original_dotted(rest), layers=2)  # only SDXL's files are named so, and it has two
    else:
        path = dotted(rest)
    if path is None:
        return name
    return f"{side}.{path}" if side == "unet" else f"{side}.text_model.{path.removeprefix('text_model.')}"


def _original_dotted(rest: str) -> str:
    """``input_blocks_4_1_proj_in`` with dots, as far as the original U-Net's own names go."""
    found = re.fullmatch(
        r"((?:input|output)_blocks_\d+_\d+|middle_block_\d+|time_embed_\d+|label_emb_0_\d+|out_\d+)(.*)", rest
    )
    if found is None:
        return rest
    head, tail = re.sub(r"_(?=\d)", ".", found[1]), found[2].removeprefix("_")
    if tail.startswith(("in_layers", "out_layers", "emb_layers")):
        tail = re.sub(r"_(?=\d)", ".", tail)
    elif tail not in ("op", "skip_connection"):
        tail = dotted(tail) or tail
    return f"{head}.{tail}" if tail else head


def to_kohya(name: str, *, several: bool = False, original: bool = False) -> str:
    """As kohya writes it. ``several``: the base has two text encoders; ``original``: the U-Net by its original names.

    Kohya's files of SDXL are of both.
    """
    side, _, path = name.partition(".")
    if side == "unet":
        path = original_path(path) if original else path
        return f"lora_unet_{path.replace('.', '_')}"
    if side not in ("text_encoder", "text_encoder_2"):
        return name
    number = ("2" if side == "text_encoder_2" else "1") if several else ""
    return f"lora_te{number}_{path.replace('.', '_')}"


def known(name: str) -> bool:
    """Whether it is a path of a part, and not a name that only its file explains."""
    return name.partition(".")[0] in ("unet", "text_encoder", "text_encoder_2")


def part_of(name: str) -> str:
    """The block that a layer is in, as `ranks` of a recipe calls it: ``up_blocks.1``, ``mid_block``, or the encoder."""
    side, _, path = name.partition(".")
    if side != "unet":
        return side if known(name) else "others"
    steps = path.split(".")
    return ".".join(steps[:2]) if steps[0] in ("down_blocks", "up_blocks") else steps[0]


def begins(name: str, part: str) -> bool:
    """Whether a layer is the named part, or inside it: ``unet.up_blocks.1``, also without ``unet.``."""
    return any(one == part or one.startswith(f"{part}.") for one in (name, name.removeprefix("unet.")))
