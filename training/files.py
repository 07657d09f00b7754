"""LoRA files that other programs read: kohya's layout (web UIs, ComfyUI) and diffusers'."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from training.tensors import bytes_of, header_of, in_order, read_tensors, write_tensors


@dataclass(frozen=True, slots=True)
class LowRank:
    """What a LoRA adds to one layer: alpha / rank * up @ down."""

    down: Tensor
    """(rank, in), or (rank, in, k, k) for a convolution"""
    up: Tensor
    """(out, rank), or (out, rank, 1, 1)"""
    alpha: float

    @property
    def rank(self) -> int:
        return self.down.shape[0]


def write_kohya(path: Path, layers: Mapping[str, LowRank], metadata: Mapping[str, str]) -> None:
    """``lora_unet_<path with underscores>.{lora_down.weight, lora_up.weight, alpha}``, as SD 1.x and 2.x files are."""
    tensors: dict[str, Tensor] = {}
    for layer, low_rank in layers.items():
        name = f"lora_unet_{layer.replace('.', '_')}"
        tensors[f"{name}.lora_down.weight"] = low_rank.down
        tensors[f"{name}.lora_up.weight"] = low_rank.up
        tensors[f"{name}.alpha"] = torch.tensor(low_rank.alpha)
    first = next(iter(layers.values()))
    network = {
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(first.rank),
        "ss_network_alpha": str(first.alpha),
        "ss_network_args": "{}",
    }
    whole = {**network, **metadata}
    write_tensors(path, tensors, {**whole, **hashes_of(tensors, whole)})


def write_diffusers(path: Path, layers: Mapping[str, LowRank], metadata: Mapping[str, str]) -> None:
    """``unet.<path>.{lora_A, lora_B}.weight``; readers take alpha for the rank, so the true one is put into lora_B."""
    tensors: dict[str, Tensor] = {}
    for layer, low_rank in layers.items():
        tensors[f"unet.{layer}.lora_A.weight"] = low_rank.down
        tensors[f"unet.{layer}.lora_B.weight"] = low_rank.up * (low_rank.alpha / low_rank.rank)
    write_tensors(path, tensors, {**metadata, "format": "pt"})


def hashes_of(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> dict[str, str]:
    """The hashes by which web UIs know a file: of the tensors' bytes, and of the 64 KiB at 1 MiB of the whole file.

    Both are of the file as it would be with its ``ss_`` metadata only, as kohya takes them.
    """
    header = header_of(tensors, {key: value for key, value in metadata.items() if key.startswith("ss_")})
    data = b"".join(bytes_of(tensors[name]) for name in in_order(tensors))
    piece = (header + data)[0x100000:0x110000]
    return {"sshs_model_hash": sha256(data).hexdigest(), "sshs_legacy_hash": sha256(piece).hexdigest()[:8]}


def restamp(path: Path, more: Mapping[str, str]) -> None:
    """Add to a file's metadata what was found out after it was written (the verdict); its tensors stay."""
    tensors, metadata = read_tensors(path)
    write_tensors(path, tensors, {**metadata, **more})
