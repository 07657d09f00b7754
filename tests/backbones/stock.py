"""diffusers' own pipelines on a base, as somebody without Velatura uses them."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from backbones.backbone import Backbone


def stock_pipeline(base: Backbone, folder: Path | None = None) -> Any:
    """From a diffusers folder: the base's own where no other is given."""
    return ready(kind_of(base).from_pretrained(folder or base.folder, local_files_only=True, **extras(base)))


def stock_from_file(base: Backbone, file: Path) -> Any:
    """From one original file, with the configurations of the base's folder."""
    return ready(
        kind_of(base).from_single_file(str(file), config=str(base.folder), local_files_only=True, **extras(base))
    )


def kind_of(base: Backbone) -> Any:
    import diffusers

    assert base.original is not None
    return getattr(diffusers, base.original.pipeline)


def extras(base: Backbone) -> dict[str, Any]:
    if len(base.text_encoders) > 1:
        return {}
    return {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}


def ready(pipeline: Any) -> Any:
    from diffusers import DDIMScheduler

    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, clip_sample=False)
    return pipeline


def stock_picture(pipeline: Any, prompt: str, seed: int, *, steps: int = 4) -> Any:
    """(h, w, 3) floats of 0 to 1."""
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(seed))
    made = pipeline(prompt, latents=noise, num_inference_steps=steps, guidance_scale=4.0, output_type="np").images[0]
    return np.asarray(made)
