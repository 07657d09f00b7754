"""Names of a Stable Diffusion's tensors in U-Net and autoencoder: from diffusers' folders to the one original file."""

from __future__ import annotations

import re
from collections.abc import Callable

UNET, VAE = "model.diffusion_model.", "first_stage_model."
"""how the parts' names begin in the one file"""

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
VAE_PARTS = {"conv_norm_out": "norm_out", "conv_shortcut": "nin_shortcut"}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def unet_name(name: str, layers: int, attention: Callable[[int], bool]) -> str:
    """A U-Net tensor's name in the one file, with ``layers`` a block; ``attention`` tells which up blocks attend."""
    for ours, theirs in ENDS.items():
        if name.startswith(f"{ours}."):
            return f"{UNET}{theirs}{name[len(ours) :]}"
    if middle := re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d)\.(.+)", name):
        kind, number, rest = middle.groups()
        return f"{UNET}middle_block.{2 * int(number) if kind == 'resnets' else 1}.{_inner(kind, rest)}"
    found = re.fullmatch(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)", name)
    if found is None:
        raise KeyError(f"{name} has no place in a single-file checkpoint")
    way, block, kind, number, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
    if kind == "downsamplers":
        return f"{UNET}input_blocks.{(layers + 1) * (block + 1)}.0.{rest.replace('conv.', 'op.', 1)}"
    if kind == "upsamplers":
        return f"{UNET}output_blocks.{(layers + 1) * block + layers}.{2 if attention(block) else 1}.{rest}"
    place = (layers + 1) * block + number + (1 if way == "down" else 0)
    side = "input" if way == "down" else "output"
    return f"{UNET}{side}_blocks.{place}.{1 if kind == 'attentions' else 0}.{_inner(kind, rest)}"


def _inner(kind: str, rest: str) -> str:
    if kind == "attentions":
        return rest
    layer, _, end = rest.rpartition(".")
    return f"{RESNET[layer]}.{end}"


def vae_name(name: str, blocks: int) -> str:
    """An autoencoder tensor's name in the one file; ``blocks`` is how many it has on each side."""
    if found := re.fullmatch(r"(encoder|decoder)\.(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)", name):
        side, way, block, kind, number, rest = found.groups()
        # the file counts the decoder's blocks from the picture inwards
        place = int(block) if way == "down" else blocks - 1 - int(block)
        if kind == "resnets":
            return f"{VAE}{side}.{way}.{place}.block.{number}.{_renamed(rest)}"
        return f"{VAE}{side}.{way}.{place}.{way}sample.{rest}"
    if found := re.fullmatch(r"(encoder|decoder)\.mid_block\.(resnets|attentions)\.(\d)\.(.+)", name):
        side, kind, number, rest = found.groups()
        if kind == "resnets":
            return f"{VAE}{side}.mid.block_{int(number) + 1}.{_renamed(rest)}"
        layer, _, end = rest.rpartition(".")
        return f"{VAE}{side}.mid.attn_1.{VAE_ATTENTION[layer]}.{end}"
    return f"{VAE}{_renamed(name)}"


def _renamed(name: str) -> str:
    for ours, theirs in VAE_PARTS.items():
        name = name.replace(ours, theirs)
    return name
