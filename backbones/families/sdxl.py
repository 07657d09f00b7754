"""SDXL (Podell et al. 2023): 1024 pixels, two text encoders; the U-Net is told each picture's size and cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from backbones.family import Precision
from backbones.files import Files
from backbones.original import Original, Tower
from backbones.stable_family import StableFamily

if TYPE_CHECKING:
    from backbones.backbone import Backbone


class StableDiffusionXL(StableFamily):
    """The base model and what was fine-tuned from it; not the refiner, which has the second text encoder only."""

    original: ClassVar[Original] = Original(
        pipeline="StableDiffusionXLPipeline",
        towers={
            "text_encoder": Tower("conditioner.embedders.0.transformer.text_model."),
            "text_encoder_2": Tower("conditioner.embedders.1.model.", open_clip=True),
        },
        heads=None,
        scaling_factor=0.13025,
        sample_size=128,
    )

    @classmethod
    def recognises(cls, files: Files) -> bool:
        encoders = all(files.has(part, "CLIPText") for part in cls.original.towers)
        return encoders and files.has("unet", "UNet2DConditionModel")

    def load(self, *, device: str = "cpu", precision: Precision = "fp32") -> Backbone:
        self.prepare()
        from backbones.stable_diffusion_xl import StableDiffusionXL as Loaded

        names = dict.fromkeys(("epsilon", "v_prediction"), ("stable-diffusion-xl-v1-base", "sdxl_base_v1-0"))
        return Loaded(self.files, self.original, names, device=device, precision=precision)
