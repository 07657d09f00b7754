"""Puts adapter files on a pipeline through diffusers' own loaders, so that what we measure is what others will see."""

from pathlib import Path
from typing import Any

from core.errors import MissingBase, RecipeError

NAME = "velatura"


def attach_file(pipeline: Any, file: Path, strength: float) -> None:
    """Load a LoRA file; `RecipeError` where it does not fit the base or touches nothing of it."""
    if not file.is_file():
        raise MissingBase(f"there is no adapter file {file}")
    if file.suffix != ".safetensors":
        raise RecipeError(f"{file}: adapters are read from .safetensors files only")
    try:
        pipeline.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name=NAME, local_files_only=True)
        pipeline.set_adapters(NAME, strength)
    except (RuntimeError, ValueError, KeyError, IndexError) as error:
        detach_file(pipeline)
        first = str(error).partition("\n")[0]
        raise RecipeError(f"{file} does not fit this base: {first}") from error


def detach_file(pipeline: Any) -> None:
    """Take the adapter off again; where no other is left, the modules are those of the base."""
    for part in (pipeline.unet, pipeline.text_encoder):
        if NAME in (getattr(part, "peft_config", None) or {}):
            pipeline.delete_adapters(NAME)
    if not any(getattr(part, "peft_config", None) for part in (pipeline.unet, pipeline.text_encoder)):
        pipeline.unload_lora_weights()
