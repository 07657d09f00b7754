"""Writes a backbone's parts as a diffusers folder, as every version of diffusers and transformers reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.files import replacing, write_text

if TYPE_CHECKING:
    from backbones.backbone import Backbone


def write_parts(backbone: Backbone, folder: Path) -> None:
    """All but the network's weights: its configuration, the other parts, and how they go together."""
    from safetensors.torch import save_file

    files = backbone.files
    for part, module in backbone.modules.items():
        write_json(folder / part / "config.json", plain(files.config(part)))
        if part == "unet":
            continue
        words = part.startswith("text_encoder")
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.named_parameters()}
        named = {canonical(name) if words else name: tensor for name, tensor in tensors.items()}
        weights = "model" if words else "diffusion_pytorch_model"
        (folder / part).mkdir(parents=True, exist_ok=True)
        with replacing(folder / part / f"{weights}.safetensors") as temporary:
            save_file(named, temporary, {"format": "pt"})
    for part, tokenizer in backbone.tokenizers.items():
        write_tokenizer(tokenizer, folder / part)
    write_json(folder / "scheduler" / "scheduler_config.json", plain(backbone.scheduler_config))
    write_json(folder / "model_index.json", plain(files.index))


def canonical(name: str) -> str:
    """A text encoder's tensor as transformers before 5.6 names it; later ones read it too."""
    return name if name.startswith(("text_model.", "text_projection.")) else f"text_model.{name}"


def write_tokenizer(tokenizer: Any, folder: Path) -> None:
    """``vocab.json``, ``merges.txt`` and ``tokenizer_config.json`` of a `CLIPTokenizer`."""
    kept = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in kept["merges"]]
    write_text(folder / "vocab.json", json.dumps(kept["vocab"], ensure_ascii=False))
    write_text(folder / "merges.txt", "\n".join(["#version: 0.2", *merges, ""]))
    said = {
        "tokenizer_class": "CLIPTokenizer",
        "bos_token": tokenizer.bos_token,
        "eos_token": tokenizer.eos_token,
        "unk_token": tokenizer.unk_token,
        "pad_token": tokenizer.pad_token,
        "model_max_length": tokenizer.model_max_length,
        "add_prefix_space": False,
        "do_lower_case": True,
        "errors": "replace",
    }
    write_json(folder / "tokenizer_config.json", said)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Indented, in a steady order."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def plain(value: Any) -> Any:
    """As JSON can say it."""
    return json.loads(json.dumps(dict(value), default=str))
