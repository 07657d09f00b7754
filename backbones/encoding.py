"""Pictures and captions through the base or a CLIP, once: what is in the cache is not computed again."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from backbones.backbone import Backbone, Conditioning
from backbones.clip import Clip, Vectors
from backbones.embedding import Embedder
from core.cache import Array, Cache, remembered
from core.hashing import digest
from core.pixels import Pixels, Read
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
    backbone: Backbone, records: Sequence[Record], read: Read, cache: Cache, *, resolution: int
) -> dict[str, Tensor]:
    """Latents (c, h, w) by record id, of pictures fitted to ``resolution`` on both sides."""
    vae = backbone.fingerprint("vae")
    keys = [digest("latent", record.pixels_key, "fit", FIT, resolution, vae, length=32) for record in records]
    done = 0

    def make(positions: list[int]) -> list[Array]:
        nonlocal done
        pictures = [fit(read(records[position]), resolution, resolution) for position in positions]
        made: list[Array] = list(backbone.encode_pictures(pictures).numpy())
        done += len(positions)
        report("encoding pictures", done, UNKNOWN)
        return made

    arrays = remembered(cache, keys, make)
    return {record.id: _tensor(array) for record, array in zip(records, arrays, strict=True)}


def conditionings(backbone: Backbone, texts: Iterable[str], cache: Cache) -> dict[str, Conditioning]:
    """Conditioning (with a leading 1) of each different text, and of ``""``, which stands for a dropped caption."""
    unique = sorted({"", *texts})
    shapes = {name: state.shape for name, state in backbone.encode_text([""]).items()}
    key = backbone.fingerprint("text")
    keys = [digest("text", text, key, length=32) for text in unique]

    def make(positions: list[int]) -> list[Array]:
        # one flat array per text, so that a family with several states needs no other table
        encoded = [backbone.encode_text([unique[position]]) for position in positions]
        return [np.concatenate([state[name].float().cpu().numpy().ravel() for name in shapes]) for state in encoded]

    arrays = remembered(cache, keys, make)
    return {text: _split(array, shapes) for text, array in zip(unique, arrays, strict=True)}


def embeddings(clip: Clip, records: Sequence[Record], read: Read, cache: Cache) -> Vectors:
    """CLIP vectors (n, d) of records, in their order."""
    return Embedder.of(clip, cache).pictures(records, read)


def _tensor(array: Array) -> Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float32))  # a copy: what a cache returns may be read-only


def _split(array: Array, shapes: dict[str, torch.Size]) -> Conditioning:
    parts = torch.split_with_sizes(_tensor(array), [shape.numel() for shape in shapes.values()])
    return {name: part.reshape(shape) for part, (name, shape) in zip(parts, shapes.items(), strict=True)}
