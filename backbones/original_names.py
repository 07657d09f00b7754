"""From the original checkpoints' names of a U-Net's layers (1.x to XL) to diffusers' paths: `unet_name` backwards."""

from __future__ import annotations

import re
from collections.abc import Collection

from backbones.single_file import ENDS, RESNET, UNET, unet_name

INNER = {theirs: ours for ours, theirs in RESNET.items()}


def diffusers_path(path: str, layers: int) -> str | None:
    """The module path of an original one; ``layers`` is how many residual layers a block has. None: there is no such.

    ``input_blocks.4.1.proj_in`` is ``down_blocks.1.attentions.0.proj_in`` where a block has two.
    """
    for ours, theirs in ENDS.items():
        if path == theirs or path.startswith(f"{theirs}."):
            return ours + path[len(theirs) :]
    if found := re.fullmatch(r"middle_block\.([012])\.(.+)", path):
        kind = "attentions.0" if found[1] == "1" else f"resnets.{int(found[1]) // 2}"
        return f"mid_block.{kind}.{_inner(found[2])}"
    if found := re.fullmatch(r"input_blocks\.(\d+)\.([01])\.(.+)", path):
        block, number = divmod(int(found[1]) - 1, layers + 1)
        if number == layers:
            return f"down_blocks.{block}.downsamplers.0.{re.sub(r'^op(?=$|[.])', 'conv', found[3])}"
        return f"down_blocks.{block}.{'attentions' if found[2] == '1' else 'resnets'}.{number}.{_inner(found[3])}"
    if found := re.fullmatch(r"output_blocks\.(\d+)\.([012])\.(.+)", path):
        block, number = divmod(int(found[1]), layers + 1)
        if found[3].partition(".")[0] == "conv":
            return f"up_blocks.{block}.upsamplers.0.{found[3]}"
        return f"up_blocks.{block}.{'resnets' if found[2] == '0' else 'attentions'}.{number}.{_inner(found[3])}"
    return None


def _inner(rest: str) -> str:
    for theirs, ours in INNER.items():
        if rest == theirs or rest.startswith(f"{theirs}."):
            return ours + rest[len(theirs) :]
    return rest


def original_path(path: str) -> str:
    """The original path of one of SDXL's layers, as kohya names them there."""
    # two layers a block, and wherever it is made larger again the block attends
    return unet_name(f"{path}.weight", 2, lambda _block: True).removeprefix(UNET).removesuffix(".weight")


def layers_in(names: Collection[str]) -> int:
    """How many residual layers a block of an original U-Net has: the first one ends where it is made smaller."""
    places = [int(found[1]) for name in names if (found := re.match(r"input_blocks\.(\d+)\.0\.op\.", name))]
    return min(places) - 1 if places else 2
