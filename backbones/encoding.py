"""Pictures and captions through the base or a CLIP, once: what is in the cache is not computed again."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from backbones.backbone import Backbone, Conditioning
from backbones.clip import Clip, Vectors
from backbones.embedding import Embedder
from backbones.reading_text import TextReading, states_of
from core.cache import Array, Cache, remembered
from core.hashing import digest
from core.pixels import Pixels, Read, pictures_of
from core.progress import UNKNOWN, report
from core.record import Record

FIT = 1
"""raise it when `fit` gives other pixels"""


def fit(pixels: Pixels, width: int, height: int) -> Pixels:
    """Scale until both sides are covered, cut the middle out; antialiased (Lanczos), the same on every machine."""
    h, w = pixels.shape[:2]
    if (w, h) == (width, height):
        return pixels
    scale = max(width / w, height / h)
    left, top = (w - width / scale) / 2, (h - height / scale) / 2
    box = (max(left, 0.0), max(top, 0.0), min(left + width / scale, float(w)), min(top + height / scale, float(h)))
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS, box=box))


def latents(
    backbone: Backbone,
    records: Sequence[Record],
    read: Read,
    cache: Cache,
    *,
    resolution: int,
    sizes: Mapping[str, tuple[int, int]] | None = None,
) -> dict[str, Tensor]:
    """Latents (c, h, w) by record id, of pictures fitted to ``resolution`` on both sides.

    ``sizes`` gives some records another width and height, in pixels.
    """
    vae = backbone.fingerprint("vae")
    wanted = [(sizes or {}).get(record.id, (resolution, resolution)) for record in records]
    shapes = [(width,) if width == height else (width, height) for width, height in wanted]
    keys = [
        digest("latent", record.pixels_key, "fit", FIT, *shape, vae, length=32)
        for record, shape in zip(records, shapes, strict=True)
    ]
    done = 0

    def make(positions: list[int]) -> list[Array]:
        nonlocal done
        read_ones = pictures_of(read, [records[position] for position in positions])
        pictures = [fit(one, *wanted[position]) for one, position in zip(read_ones, positions, strict=True)]
        made: dict[int, Array] = {}
        for size in dict.fromkeys(wanted[position] for position in positions):
            alike = [at for at, position in enumerate(positions) if wanted[position] == size]
            made.update(zip(alike, backbone.encode_pictures([pictures[at] for at in alike]).numpy(), strict=True))
        done += len(positions)
        report("encoding pictures", done, UNKNOWN)
        return [made[at] for at in range(len(positions))]

    arrays = remembered(cache, keys, make)
    return {record.id: _tensor(array) for record, array in zip(records, arrays, strict=True)}


def conditionings(
    backbone: Backbone,
    texts: Iterable[str],
    cache: Cache,
    reading: TextReading = TextReading(),  # noqa: B008  it is frozen
) -> dict[str, Conditioning]:
    """Conditioning (with a leading 1) of each different text, and of ``""``, which stands for a dropped caption."""
    unique = sorted({"", *texts})
    shapes = {name: state.shape for name, state in states_of(backbone, [""], reading).items()}
    key = backbone.fingerprint("text")
    keys = [digest("text", text, key, *reading.key, length=32) for text in unique]

    def make(positions: list[int]) -> list[Array]:
        states = states_of(backbone, [unique[position] for position in positions], reading)
        rows = {name: state.float().cpu().numpy() for name, state in states.items()}
        # one flat array per text, so that a family with several states needs no other table
        return [np.concatenate([rows[name][at].ravel() for name in shapes]) for at in range(len(positions))]

    arrays = remembered(cache, keys, make, batch=64)
    return {text: _split(array, shapes) for text, array in zip(unique, arrays, strict=True)}


def embeddings(clip: Clip, records: Sequence[Record], read: Read, cache: Cache) -> Vectors:
    """CLIP vectors (n, d) of records, in their order."""
    return Embedder.of(clip, cache).pictures(records, read)


def _tensor(array: Array) -> Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float32))  # a copy: what a cache returns may be read-only


def _split(array: Array, shapes: dict[str, torch.Size]) -> Conditioning:
    parts = torch.split_with_sizes(_tensor(array), [shape.numel() for shape in shapes.values()])
    return {name: part.reshape(shape) for part, (name, shape) in zip(parts, shapes.items(), strict=True)}
