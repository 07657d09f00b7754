"""What a file that a tool made says of where it comes from: the files it was made of, by hash, and how."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from backbones.adapter_files import hash_of
from training.tools.layers import Layers
from training.tools.merge import STALE
from training.tools.model_files import ModelFiles


def made_of(how: str, files: Sequence[Path], weights: str) -> dict[str, str]:
    """Our own keys about it."""
    parts = [{"file": file.name, "sha256": hash_of(file)} for file in files]
    return {f"velatura.{how}": json.dumps({"of": parts, "weights": weights}, sort_keys=True)}


def of_merge(layers: Layers, files: Sequence[Path], weights: str, title: str) -> Layers:
    """A merged adapter: what the first said of its base and words stays."""
    triggers = dict.fromkeys(word for word in (layers.metadata.get("velatura.trigger", ""),) if word)
    said = {**layers.metadata, **made_of("merged", files, weights), "ss_output_name": title, "modelspec.title": title}
    return replace(layers, metadata={**said, **({"velatura.trigger": ", ".join(triggers)} if triggers else {})})


def of_extraction(layers: Layers, tuned: ModelFiles, base: ModelFiles, title: str) -> Layers:
    """An extracted LoRA: of which base it is, as kohya's tools and the web UIs read it."""
    version, architecture = base_words(base)
    metadata = {
        **made_of("extracted", [tuned.path, base.path], "1,-1"),
        "format": "pt",
        "ss_v2": str(version.startswith("sd_v2")),
        "ss_base_model_version": version,
        "ss_sd_model_name": base.path.name,
        "ss_output_name": title,
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": f"{architecture}/lora",
        "modelspec.implementation": "diffusers",
        "modelspec.title": title,
    }
    return replace(layers, metadata=metadata, original=version.startswith("sdxl"))


def of_model(model: ModelFiles, files: Sequence[Path], weights: str, title: str) -> dict[str, str]:
    """A merged model."""
    kept = {key: value for key, value in model.metadata().items() if not key.startswith(STALE)}
    return {**kept, **made_of("merged", [model.path, *files], weights), "format": "pt", "modelspec.title": title}


def base_words(base: ModelFiles) -> tuple[str, str]:
    """The words of kohya and modelspec for the architecture."""
    if any(layer.startswith("text_encoder_2.") for layer in base.layers):
        return "sdxl_base_v1-0", "stable-diffusion-xl-v1-base"
    linear = base.layers.get("unet.mid_block.attentions.0.proj_in")
    if linear is not None and base.header[linear.key].dim() == 2:
        return "sd_v2", "stable-diffusion-v2-768-v"
    return "sd_v1", "stable-diffusion-v1"
