"""Several adapters or checkpoints on a base at once, each with a weight for every part of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor, nn

from backbones.adapter_files import UNFIT, tensors_of
from backbones.checkpoints import Checkpoint, checkpoint_of, from_checkpoint
from backbones.layer_files import PREFIXES, from_layers
from backbones.tuning import Exchanged, Tuning
from core.errors import RecipeError

if TYPE_CHECKING:
    from backbones.backbone import Backbone

Weights = Mapping[str, float]
"""by part: ``down_blocks``, ``mid_block``, ``up_blocks``, ``text_encoder``, and ``rest`` for the layers beside them; 1
where a part is not named"""


def merged(backbone: Backbone, mixed: Sequence[tuple[Path, Weights]]) -> Tuning:
    """The base with the weighted sum of what each file adds. The caller makes it count (`Backbone.tuned_by`)."""
    parts = parts_of(backbone)
    sums: dict[nn.Parameter, Tensor] = {}
    for file, weights in mixed:
        for parameter, change in changes(backbone, file).items():
            share = weights.get(parts[parameter], 1.0)
            sums[parameter] = sums[parameter] + share * change if parameter in sums else share * change
    values = {parameter: (parameter.data.float() + added).to(parameter.dtype) for parameter, added in sums.items()}
    return Exchanged(values, words=any(parts[parameter] == "text_encoder" for parameter in values))


def parts_of(backbone: Backbone) -> dict[nn.Parameter, str]:
    """Each parameter's part."""
    known = {}
    for name, parameter in backbone.network.named_parameters():
        block = name.partition(".")[0]
        known[parameter] = block if block in ("down_blocks", "mid_block", "up_blocks") else "rest"
    for encoder in backbone.text_encoders.values():
        known |= dict.fromkeys(encoder.parameters(), "text_encoder")
    return known


def changes(backbone: Backbone, file: Path) -> dict[nn.Parameter, Tensor]:
    """What a file adds to the base's parameters, float32; those that it leaves alone are not there."""
    tuning = _exchanged(backbone, file)
    try:
        tuned = {parameter: parameter.data for parameter in parts_of(backbone)}
        with tuning.off():
            return {p: data.float() - p.data.float() for p, data in tuned.items() if data.data_ptr() != p.data_ptr()}
    finally:
        tuning.remove()


def _exchanged(backbone: Backbone, file: Path) -> Tuning:
    """The file as other values of the base's own parameters; `RecipeError` where it is none that can be."""
    try:
        if file.is_dir():
            return from_checkpoint(backbone, checkpoint_of(file), 1.0)
        tensors = tensors_of(file)
        if Checkpoint.is_single_file(tensors):
            return from_checkpoint(backbone, Checkpoint.single_file(tensors), 1.0)
        if any(str(name).startswith(PREFIXES) for name in tensors):
            return from_layers(backbone, tensors, file, 1.0)
    except UNFIT as error:
        raise RecipeError(f"{file} does not fit this base: {str(error).partition(chr(10))[0]}") from error
    raise RecipeError(
        f"{file} cannot be merged: that takes a file in kohya's or LyCORIS's layout, or a whole checkpoint; "
        "learned words and hypernetworks add nothing to the base's own weights"
    )
