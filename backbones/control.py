"""ControlNet (Zhang et al. 2023): a base that draws along lines, poses or depth, through diffusers' own pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from backbones.backbone import Backbone
from backbones.folder import read_json, sha256_of_part, weights_of
from backbones.quiet import offline_and_quiet
from core.errors import MissingBase, RecipeError
from core.hashing import digest, sha256_of_file
from core.pixels import Pixels


def folder_of_control(name: str) -> Path:
    """The folder of a ControlNet, known to hold a whole one; `MissingBase` in words otherwise. Loads nothing."""
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise MissingBase(
            f"controlnet: there is no folder {folder}; expected one as `save_pretrained` of a diffusers ControlNet "
            "writes it (config.json and diffusion_pytorch_model.safetensors)"
        )
    kind = read_json(folder / "config.json", needed_for="the ControlNet's shape").get("_class_name")
    if kind != "ControlNetModel":
        raise MissingBase(f"controlnet: {folder} holds a {kind}; expected a ControlNetModel")
    weights_of(folder)
    return folder


def fingerprint_of_control(name: str) -> str:
    """What pictures drawn with it follow from: configuration and weights."""
    folder = folder_of_control(name)
    return digest("control", sha256_of_part(folder), sha256_of_file(folder / "config.json"), length=32)


class Control:
    """One ControlNet on one device."""

    def __init__(self, network: Any, folder: Path) -> None:
        self.network, self.folder = network, folder

    @classmethod
    def load(cls, name: str, *, device: str = "cpu") -> Control:
        """From a diffusers folder; nothing is fetched."""
        folder = folder_of_control(name)
        offline_and_quiet()
        from diffusers import ControlNetModel

        variant = weights_of(folder)[1] or None
        network = ControlNetModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, variant=variant, torch_dtype=torch.float32
        )
        return cls(network.to(device).eval().requires_grad_(False), folder)

    def check(self, backbone: Backbone) -> None:
        """`RecipeError` unless it was made for a network of this base's shape."""
        mine, theirs = self.network.config, backbone.network.config
        for key in ("in_channels", "cross_attention_dim", "block_out_channels"):
            own, base = mine[key], theirs[key]  # type: ignore[index]
            if _plain(own) != _plain(base):
                raise RecipeError(
                    f"controlnet: {self.folder} has {key} {own}, the base {backbone.folder} has {base}; "
                    "a ControlNet works only with bases of the architecture that it was trained on"
                )

    @torch.no_grad()
    def draw(
        self,
        backbone: Backbone,
        guides: Sequence[Pixels],
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        scale: float = 1.0,
        steps: int = 20,
        guidance: float = 4.0,
        negative: str = "",
    ) -> list[Pixels]:
        """One picture per guide, in the guide's size; ``scale`` 0 leaves the guide out, 1 is as it was trained.

        Each goes alone, so that it follows from its own guide, prompt and seed.
        """
        from diffusers import AutoPipelineForText2Image

        self.check(backbone)
        pipeline = AutoPipelineForText2Image.from_pipe(backbone.pipeline, controlnet=self.network)
        pipeline.set_progress_bar_config(disable=True)
        channels = int(backbone.vae.config.latent_channels)
        made = []
        for guide, prompt, seed in zip(guides, prompts, seeds, strict=True):
            height, width = guide.shape[:2]
            shape = (1, channels, height // backbone.latent_scale, width // backbone.latent_scale)
            noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
            result = pipeline(
                prompt=prompt,
                image=Image.fromarray(guide),
                negative_prompt=negative,
                width=width,
                height=height,
                num_inference_steps=steps,
                guidance_scale=guidance,
                latents=noise.to(backbone.device, pipeline.unet.dtype),
                controlnet_conditioning_scale=scale,
                output_type="np",
            ).images[0]
            made.append((result * 255).round().clip(0, 255).astype("uint8"))
        return made


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value
