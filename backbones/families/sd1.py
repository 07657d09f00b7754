"""Stable Diffusion 1.x, any size: a diffusers folder with one CLIP text encoder and epsilon prediction."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from backbones.family import Family, Precision
from backbones.folder import check_part, read_json
from core.errors import MissingBase

if TYPE_CHECKING:
    from backbones.backbone import Backbone


class StableDiffusion1(Family):
    """The base that comes along, SD 1.4, 1.5 and what was fine-tuned from them."""

    @classmethod
    def recognises(cls, folder: Path) -> bool:
        index = read_json(folder / "model_index.json", needed_for="knowing the base's family")
        if "text_encoder_2" in index or "unet" not in index or "text_encoder" not in index:
            return False
        # SD 2.x is the same pipeline class; its U-Net has linear projections where 1.x has 1x1 convolutions
        return not read_json(folder / "unet" / "config.json", needed_for="the U-Net").get(
            "use_linear_projection", False
        )

    def check(self) -> None:
        """`MissingBase` unless every part is there and whole, and the model predicts epsilon."""
        folder = Path(self.path)
        check_part(folder, "scheduler", ["scheduler_config.json"])
        prediction = read_json(folder / "scheduler" / "scheduler_config.json", needed_for="the noise schedule").get(
            "prediction_type", "epsilon"
        )
        if prediction != "epsilon":
            raise MissingBase(
                f"{folder} predicts {prediction} (scheduler/scheduler_config.json); family sd1 is for epsilon models, "
                "as SD 1.x are. If the file is wrong, set its prediction_type to epsilon"
            )
        fast = (folder / "tokenizer" / "tokenizer.json").is_file()
        check_part(folder, "tokenizer", ["tokenizer.json"] if fast else ["vocab.json", "merges.txt"])
        for part in ("text_encoder", "vae", "unet"):
            check_part(folder, part, ["config.json"], weights=True)

    def load(self, *, device: str = "cpu", precision: Precision = "fp32") -> Backbone:
        self.check()
        from backbones.quiet import offline_and_quiet

        offline_and_quiet()
        from backbones.stable_diffusion import StableDiffusion

        return StableDiffusion(
            Path(self.path),
            device=device,
            precision=precision,
            architecture="stable-diffusion-v1",
            kohya_version="sd_v1",
        )
