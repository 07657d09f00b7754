"""Stable Diffusion 2.x: OpenCLIP's ViT-H as text encoder. Of 768 pixels it predicts v, of 512 (2-base) the noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from backbones.family import Precision
from backbones.files import Files
from backbones.original import Original, Tower
from backbones.stable_family import StableFamily

if TYPE_CHECKING:
    from backbones.backbone import Backbone


class StableDiffusion2(StableFamily):
    """Set `train.objective: v_prediction` for those that predict v; a recipe with another one is told so at once."""

    original: ClassVar[Original] = Original(
        pipeline="StableDiffusionPipeline",
        towers={"text_encoder": Tower("cond_stage_model.model.", open_clip=True)},
        heads=None,
        scaling_factor=0.18215,
        sample_size=64,
        sample_size_v=96,
    )

    @classmethod
    def recognises(cls, files: Files) -> bool:
        return cls.one_encoder(files) and bool(files.config("unet").get("use_linear_projection", False))

    def load(self, *, device: str = "cpu", precision: Precision = "fp32") -> Backbone:
        self.prepare()
        from backbones.stable_diffusion import StableDiffusion

        names = {
            "epsilon": ("stable-diffusion-v2-512", "sd_v2"),
            "v_prediction": ("stable-diffusion-v2-768-v", "sd_v2_v"),
        }
        return StableDiffusion(self.files, self.original, names, device=device, precision=precision)
