"""At what size each picture is shown in training, and which parts of it count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from backbones.backbone import Backbone, Conditioning
from core.errors import RecipeError
from core.record import Record
from curation.decode import decode
from training.buckets import Bucket, Size, planned
from training.masks import Masks
from training.spec import Train

if TYPE_CHECKING:
    from torch import Tensor

    from store.store import Store


@dataclass(frozen=True, slots=True)
class Framing:
    """Width and height of each picture by its record's id, and the plan behind that."""

    resolution: int
    sizes: Mapping[str, Size]
    plan: Sequence[Bucket]

    def told(self, backbone: Backbone, record: Record) -> Conditioning:
        """What the network is told of how the picture was cut."""
        return backbone.framing((record.width, record.height), self.sizes[record.id])


def framing(spec: Train, backbone: Backbone, records: Sequence[Record]) -> Framing:
    """Where the pictures of ``records`` go; `RecipeError` where the base cannot take such sizes."""
    scale, resolution = backbone.latent_scale, spec.resolution or backbone.resolution
    for what, value in (("resolution", resolution), ("buckets.step", spec.buckets.step if spec.buckets else None)):
        if value is not None and value % scale:
            raise RecipeError(f"train.{what} is {value}; this base takes multiples of {scale} pixels")
    shapes = {record.id: (record.width, record.height) for record in records}
    return Framing(resolution, *planned(shapes, spec.buckets, resolution, backbone.side_step))


@dataclass(frozen=True, slots=True)
class Masked:
    """What counts of each picture that has a mask, by its record's id, and words about it."""

    masks: Mapping[str, Tensor]
    words: str = ""


def masked(spec: Masks | None, backbone: Backbone, store: Store, records: Sequence[Record], shown: Framing) -> Masked:
    """The masks of ``records``; `RecipeError` where none of them has one."""
    if spec is None:
        return Masked({})
    found: dict[str, Tensor] = {}
    for record in records:
        mask = mask_of(spec, store, record)
        if mask is not None:
            width, height = shown.sizes[record.id]
            found[record.id] = spec.weights(mask, width, height, backbone.latent_scale)
    where = " and ".join([*([spec.folder] if spec.folder else []), *(["transparency"] if spec.alpha else [])])
    if not found:
        raise RecipeError(
            f"train.masks: none of the {len(records)} training pictures has a mask in {where}; a mask is called as its "
            "picture: cat.png, cat.mask.png or cat-masklabel.png for cat.jpg. Or leave train.masks out"
        )
    without = len(records) - len(found)
    more = f"; {without} have none and count as a whole" if without else ""
    return Masked(found, f"masks: {len(found)} pictures have one ({where}){more}")


def mask_of(spec: Masks, store: Store, record: Record) -> np.ndarray | None:
    """(height, width) uint8 of one picture; ``None`` where it counts as a whole, as what was made from another does."""
    if record.depth:
        return None
    file = spec.file_of(record.name)
    if file is None:
        return decode(store.image(record.sha256), max_pixels=1 << 34).alpha if spec.alpha else None
    try:
        with Image.open(file) as image:
            mask = np.asarray(image.convert("L"))
    except (OSError, Image.DecompressionBombError) as error:
        raise RecipeError(f"train.masks: {file} cannot be read as a picture ({error})") from None
    if mask.shape != (record.height, record.width):
        mask = np.asarray(Image.fromarray(mask).resize((record.width, record.height), Image.Resampling.BILINEAR))
    return mask
