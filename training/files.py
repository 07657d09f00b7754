"""Adapter files that other programs read: kohya's and LyCORIS's layout (web UIs, ComfyUI), diffusers' and peft's."""

import json
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.files import write_text
from training.tensors import bytes_of, header_of, in_order, read_tensors, write_tensors

Parts = dict[str, Tensor]
"""what a layer has learned, by LyCORIS's names: ``lora_up.weight``, ``hada_w1_a``, ``alpha``, ..."""
Sides = Mapping[str, Mapping[str, Parts]]
"""``unet`` and ``text_encoder``, path of the layer, its parts"""
ALGORITHMS = {
    "hada_w1_a": "loha",
    "lokr_w1": "lokr",
    "lokr_w1_a": "lokr",
    "on_input": "ia3",
    "oft_blocks": "diag-oft",
    "diff": "full",
}
"""LyCORIS's names of the kinds, by a part that tells them"""


def write_kohya(path: Path, layers: Sides, metadata: Mapping[str, str], name: Callable[[str, str], str]) -> None:
    """``<layer's name>.<part>``, as kohya's and LyCORIS's files are; ``name`` is the base's `Backbone.layer_name`."""
    alpha = next(iter(layers["unet"].values())).get("alpha")
    tensors = {
        f"{name(side, layer)}.{part}": tensor
        for side, of_side in layers.items()
        for layer, parts in of_side.items()
        for part, tensor in with_alpha(parts, alpha).items()
    }
    whole = {**network_metadata(layers["unet"].values()), **metadata}
    write_tensors(path, tensors, {**whole, **hashes_of(tensors, whole)})


def with_alpha(parts: Parts, alpha: Tensor | None) -> Parts:
    """A LoRA layer with another alpha and the same sense: diffusers misreads files whose layers have several."""
    if alpha is None or "lora_up.weight" not in parts or parts["alpha"] == alpha:
        return parts
    return parts | {"lora_up.weight": parts["lora_up.weight"] * (parts["alpha"] / alpha), "alpha": alpha}


def network_metadata(layers: Iterable[Parts]) -> dict[str, str]:
    """What tools ask first of a file: which program's layers these are, their rank, and that of 3x3 convolutions."""
    layers = list(layers)
    first = layers[0]
    algorithm = next((name for part, name in ALGORITHMS.items() if part in first), "lora")
    plain = algorithm == "lora" and "dora_scale" not in first
    arguments = {} if plain else {"algo": algorithm, **({"dora_wd": "True"} if "dora_scale" in first else {})}
    rank = next((first[part].shape[0] for part in RANKED if part in first), 1)
    wide = next(
        (one for one in layers if "lora_down.weight" in one and one["lora_down.weight"].shape[2:].numel() > 1), None
    )
    if wide is not None:
        down = wide["lora_down.weight"]
        arguments |= {"conv_dim": str(down.shape[0]), "conv_alpha": str(float(wide.get("alpha", torch.tensor(1.0))))}
    return {
        "ss_network_module": "networks.lora" if plain else "lycoris.kohya",
        "ss_network_dim": str(rank),
        "ss_network_alpha": str(float(first.get("alpha", torch.tensor(1.0)))),
        "ss_network_args": json.dumps(arguments),
    }


RANKED = ("lora_down.weight", "hada_w1_b", "lokr_w2_b", "lokr_w1_b")
"""parts whose first side is the rank"""


def write_diffusers(path: Path, layers: Sides, metadata: Mapping[str, str]) -> None:
    """``unet.<path>.{lora_A, lora_B}.weight``; readers take alpha for the rank, so the true one is put into lora_B."""
    tensors: dict[str, Tensor] = {}
    for side, of_side in layers.items():
        for layer, parts in of_side.items():
            name = f"unet.{layer}" if side == "unet" else f"{side}.text_model.{layer.removeprefix('text_model.')}"
            down, up = parts["lora_down.weight"], parts["lora_up.weight"]
            tensors[f"{name}.lora_A.weight"] = down
            tensors[f"{name}.lora_B.weight"] = up * (float(parts["alpha"]) / down.shape[0])
            if "dora_scale" in parts:
                scale = parts["dora_scale"]
                tensors[f"{name}.lora_magnitude_vector"] = scale.transpose(0, 1) if down.dim() == 4 else scale.flatten()
    write_tensors(path, tensors, {**metadata, "format": "pt"})


def write_peft(folder: Path, network: nn.Module, config: Any, metadata: Mapping[str, str]) -> None:
    """A folder that peft's own `PeftModel.from_pretrained` reads, for kinds that diffusers has no loader for."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    tensors: dict[str, Tensor] = {}
    for path, layer in network.named_modules():
        if isinstance(layer, BaseTunerLayer):
            for part in layer.adapter_layer_names:
                for weight in getattr(layer, part).values():
                    tensors[f"base_model.model.{path}.{part}"] = weight.detach().cpu()
    said = {name: sorted(value) if isinstance(value, set) else value for name, value in config.to_dict().items()}
    write_tensors(folder / "adapter_model.safetensors", tensors, {**metadata, "format": "pt"})
    write_text(folder / "adapter_config.json", json.dumps(said, indent=1, sort_keys=True, default=str))


def hashes_of(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> dict[str, str]:
    """The hashes by which web UIs know a file: of the tensors' bytes, and of the 64 KiB at 1 MiB of the whole file.

    Both are of the file as it would be with its ``ss_`` metadata only, as kohya takes them.
    """
    header = header_of(tensors, {key: value for key, value in metadata.items() if key.startswith("ss_")})
    data = b"".join(bytes_of(tensors[name]) for name in in_order(tensors))
    piece = (header + data)[0x100000:0x110000]
    whole = sha256(data).hexdigest()
    return {
        "sshs_model_hash": whole,
        "sshs_legacy_hash": sha256(piece).hexdigest()[:8],
        "modelspec.hash_sha256": f"0x{whole}",
    }


def restamp(path: Path, more: Mapping[str, str]) -> None:
    """Add to a file's metadata what was found out after it was written (the verdict); its tensors stay."""
    tensors, metadata = read_tensors(path)
    write_tensors(path, tensors, {**metadata, **more})


def web_ui_embedding(word: str, vectors: Tensor, metadata: Mapping[str, str]) -> dict[str, Any]:
    """What the web UI keeps of an embedding in its .pt files."""
    return {
        "string_to_token": {"*": 265},
        "string_to_param": {"*": vectors},
        "name": word,
        "step": int(metadata.get("ss_steps", "0")),
        "sd_checkpoint": metadata.get("velatura.base_sha256", "")[:10] or None,
        "sd_checkpoint_name": None,
    }
