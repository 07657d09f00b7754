"""Stable Diffusion 1.x, any size: one CLIP text encoder, convolutions around attention; nearly all predict noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from backbones.family import Precision
from backbones.files import Files
from backbones.original import Original, Tower
from backbones.stable_family import StableFamily

if TYPE_CHECKING:
    from backbones.backbone import Backbone


class StableDiffusion1(StableFamily):
    """The base that comes along, SD 1.4, 1.5 and what was fine-tuned from them."""

    original: ClassVar[Original] = Original(
        pipeline="StableDiffusionPipeline",
        towers={"text_encoder": Tower("cond_stage_model.transformer.text_model.")},
        heads=8,
        scaling_factor=0.18215,
        sample_size=64,
    )

    @classmethod
    def recognises(cls, files: Files) -> bool:
        # SD 2.x is the same pipeline class; its U-Net has linear projections where 1.x has 1x1 convolutions
        return cls.one_encoder(files) and not files.config("unet").get("use_linear_projection", False)

    def load(self, *, device: str = "cpu", precision: Precision = "fp32") -> Backbone:
        self.prepare()
        from backbones.stable_diffusion import StableDiffusion

        names = {
            "epsilon": ("stable-diffusion-v1", "sd_v1"),
            "v_prediction": ("stable-diffusion-v1", "sd_v1_v"),
        }
        return StableDiffusion(self.files, self.original, names, device=device, precision=precision)
