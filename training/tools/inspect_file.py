"""Looking at a file: what it is, of which base, how strong in which part, what it says of itself, what it needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backbones.adapter_files import hash_of, tensors_of
from backbones.hypernetworks import description_of, flat_networks, shape_of
from backbones.layer_names import part_of
from core.errors import RecipeError
from training.files import ALGORITHMS, RANKED, Parts
from training.tensors import DTYPES
from training.tools.convert import Kind, kind_of
from training.tools.layers import Layers, read_layers
from training.tools.low_rank import BASE_NEEDED, change_of, low_of
from training.tools.model_files import ModelFiles, metadata_of
from training.tools.small_files import Embedding

BASES = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "Stable Diffusion XL"}
"""by the width of the text that cross-attention reads"""
SAID = {"sd_v1": BASES[768], "sd_v2": BASES[1024], "sdxl": BASES[2048]}
"""by how kohya's word for the base begins"""


@dataclass(frozen=True)
class Block:
    """One part of the network or a text encoder, as the file changes it."""

    part: str
    layers: int
    ranks: tuple[int, int] | None
    """smallest and largest; none of kinds without one"""
    alphas: tuple[float, float] | None
    norm: float | None
    """Frobenius norm of all changes together; none where it depends on the base's weights"""


@dataclass(frozen=True)
class Inspected:
    """All that a file tells."""

    file: str
    kind: str
    layout: str
    base: str
    dtype: str
    tensors: int
    values: int
    sha256: str
    blocks: tuple[Block, ...] = ()
    words: tuple[str, ...] = ()
    """what to write in a prompt so that it shows"""
    needs: str = ""
    notes: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def inspected(file: Path) -> Inspected:
    """Any adapter, embedding, hypernetwork or whole model; `RecipeError` where it is none."""
    kind: Kind = kind_of(file) if file.is_dir() or file.suffix == ".pt" or not is_model(file) else "model"
    if kind == "model":
        return model(file)
    if kind == "embedding":
        return embedding(file)
    return hypernetwork(file) if kind == "hypernetwork" else layers_file(file)


def is_model(file: Path) -> bool:
    """Whether it is a whole checkpoint, from its header alone: those are large."""
    from backbones.folder import check_whole
    from backbones.single_file import UNET
    from training.tools.model_files import shapes_in

    if not file.is_file() or file.suffix != ".safetensors":
        return False
    return any(name.startswith(UNET) for name in shapes_in(check_whole(file)))


def layers_file(file: Path) -> Inspected:
    """LoRA, LoCon, DoRA, LoHa, LoKr, (IA)^3, OFT, whole differences."""
    found = read_layers(file)
    by_part: dict[str, dict[str, Parts]] = {}
    for name, parts in found.parts.items():
        by_part.setdefault(part_of(name), {})[name] = parts
    blocks = tuple(block(part, layers) for part, layers in sorted(by_part.items()))
    kinds = dict.fromkeys(kind_in_words(name, parts) for name, parts in found.parts.items())
    words, base = words_of(found.metadata), base_of_layers(found)
    readers = "the web UIs and ComfyUI read it" if found.layout == "kohya" else "diffusers reads it"
    notes = []
    if any(part in parts for parts in found.parts.values() for part in BASE_NEEDED):
        notes.append("what it changes depends on the base's weights, so that norms are known only there")
    if any(name.startswith("lora_") for name in found.parts):
        notes.append("some layers are of an architecture that is not known here")
    return Inspected(
        str(file),
        " and ".join(kinds),
        found.layout,
        base,
        DTYPES[found.dtype],
        sum(len(parts) for parts in found.parts.values()),
        sum(t.numel() for parts in found.parts.values() for t in parts.values()),
        hash_of(file),
        blocks,
        words,
        f"a base of {base}; {readers}" + (f"; {', '.join(words)} in the prompt" if words else ""),
        tuple(notes),
        found.metadata,
    )


def block(part: str, layers: Mapping[str, Parts]) -> Block:
    """What is learned in one part."""
    ranks = [parts[name].shape[0] for parts in layers.values() for name in RANKED if name in parts]
    alphas = [float(parts["alpha"]) for parts in layers.values() if "alpha" in parts]
    squares = 0.0
    for name, parts in layers.items():
        if any(needing in parts for needing in BASE_NEEDED) or "w_norm" in parts:
            return Block(part, len(layers), ends(ranks), ends(alphas), None)
        low = low_of(parts)
        squares += (low.norm if low is not None else float(change_of(parts, name).norm())) ** 2
    return Block(part, len(layers), ends(ranks), ends(alphas), squares**0.5)


def ends(values: list[Any]) -> tuple[Any, Any] | None:
    """The smallest and the largest."""
    return (min(values), max(values)) if values else None


def kind_in_words(name: str, parts: Parts) -> str:
    """One layer's kind, as the world calls it."""
    if "lora_up.weight" in parts:
        wide = parts["lora_down.weight"].dim() == 4 and parts["lora_down.weight"].shape[-1] > 1
        return "DoRA" if "dora_scale" in parts else "LoCon" if wide or "lora_mid.weight" in parts else "LoRA"
    known = {"loha": "LoHa", "lokr": "LoKr", "ia3": "(IA)^3", "diag-oft": "OFT"}
    algorithm = next((kind for part, kind in ALGORITHMS.items() if part in parts), "")
    if algorithm:
        return known.get(algorithm, algorithm)
    return "whole differences" if {"diff", "w_norm"} & set(parts) else f"an unknown kind ({name})"


def base_of_layers(found: Layers) -> str:
    """By what the file says, or else by the width of the text."""
    said = found.metadata.get("ss_base_model_version", "")
    width = text_width(found)
    for start, base in SAID.items():
        if said.startswith(start):
            return base if width in (None, *BASES) else f"{base}, a small one (text of width {width})"
    return BASES.get(
        width or 0, f"an unknown architecture (text of width {width})" if width else "an unknown architecture"
    )


def text_width(found: Layers) -> int | None:
    """Of what cross-attention reads, where the file changes it and its shape shows."""
    for name, parts in found.parts.items():
        if name.endswith((".attn2.to_k", ".attn2.to_v")):
            if "lora_down.weight" in parts:
                return int(parts["lora_down.weight"].shape[1])
            if not set(parts) & {*BASE_NEEDED}:
                return int(change_of(parts, name).shape[1])
    return None


def words_of(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Triggers that are written down; else the words that nearly every caption had."""
    said = [metadata.get(key, "") for key in ("velatura.trigger", "modelspec.trigger_phrase", "velatura.word")]
    found = tuple(dict.fromkeys(word for word in said if word))
    if found:
        return found
    try:
        counts: dict[str, int] = {}
        for tags in json.loads(metadata.get("ss_tag_frequency", "{}")).values():
            for tag, number in tags.items():
                counts[tag.strip()] = counts.get(tag.strip(), 0) + int(number)
    except (ValueError, AttributeError, TypeError):
        return ()
    most = max(counts.values(), default=0)
    return tuple(tag for tag, number in counts.items() if number > 0.9 * most)[:3]


def embedding(file: Path) -> Inspected:
    """A learned word."""
    found = Embedding.read(file)
    vectors = list(found.vectors.values())
    widths = [int(t.shape[-1]) for t in vectors]
    base = BASES[2048] if len(vectors) > 1 else BASES.get(widths[0], f"text of width {widths[0]}")
    blocks = tuple(Block(end, len(t), None, None, float(t.float().norm())) for end, t in found.vectors.items())
    return Inspected(
        str(file),
        "embedding",
        "web_ui" if file.suffix == ".pt" else "diffusers" if found.word in tensors_of(file) else "kohya",
        base,
        DTYPES[vectors[0].dtype],
        len(vectors),
        sum(t.numel() for t in vectors),
        hash_of(file),
        blocks,
        (found.word,),
        f"a base of {base}; {found.word!r} in the prompt, which {len(vectors[0])} vectors stand for",
        (),
        found.metadata,
    )


def hypernetwork(file: Path) -> Inspected:
    """Small networks before keys and values."""
    tensors = tensors_of(file)
    flat, described = flat_networks(tensors), description_of(tensors, file)
    shape = shape_of(described)
    widths = sorted({int(name.partition(".")[0]) for name in flat})
    base = BASES[768] if 768 in widths else BASES[1024] if 1024 in widths else f"attention of widths {widths}"
    blocks = tuple(
        Block(f"width {w}", 2, None, None, norm([t for n, t in flat.items() if n.startswith(f"{w}.")])) for w in widths
    )
    inner = f"layers {' '.join(f'{part:g}' for part in shape.structure)}, {shape.activation}"
    said = {str(key): str(value) for key, value in described.items() if value is not None}
    return Inspected(
        str(file),
        f"hypernetwork ({inner}{', layer norm' if shape.layer_norm else ''}{', dropout' if shape.dropout else ''})",
        "web_ui" if file.suffix == ".pt" else "safetensors",
        base,
        DTYPES[next(iter(flat.values())).dtype],
        len(flat),
        sum(t.numel() for t in flat.values()),
        hash_of(file),
        blocks,
        (),
        f"a base of {base}; the web UI reads its .pt",
        (),
        said,
    )


def norm(tensors: list[Tensor]) -> float:
    """Of all together."""
    return float(torch.stack([t.float().square().sum() for t in tensors]).sum().sqrt())


def model(file: Path) -> Inspected:
    """A whole base or tuned model; only its header is read."""
    found = ModelFiles.of(file)
    place = next((p for layer, p in found.layers.items() if layer.endswith(".attn2.to_k")), None)
    if place is None:
        raise RecipeError(f"{file} has no cross-attention: it is no Stable Diffusion")
    width = int(found.header[place.key].shape[1])
    counts: dict[str, int] = {}
    for name, tensor in found.header.items():
        part = found.place_of(name).partition(".")[0] or "autoencoder and others"
        counts[part] = counts.get(part, 0) + tensor.numel()
    kinds = {tensor.dtype: tensor.numel() for tensor in found.header.values()}
    return Inspected(
        str(file),
        "whole model",
        "diffusers" if found.is_folder else "one file",
        BASES.get(width, f"Stable Diffusion, a small one (text of width {width})"),
        DTYPES[max(kinds, key=kinds.__getitem__)],
        len(found.header),
        sum(counts.values()),
        hash_of(file),
        tuple(Block(part, count, None, None, None) for part, count in sorted(counts.items())),
        words_of(found.metadata()),
        "nothing else: it is a base",
        (),
        metadata_of(file) if file.is_file() else {},
    )
