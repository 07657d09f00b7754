"""What the families of Stable Diffusion have in common: which parts there must be, and what cannot be trained here."""

from __future__ import annotations

from typing import ClassVar

from backbones.family import UNKNOWN, Family
from backbones.files import Files
from backbones.original import Original
from core.errors import MissingBase

PREDICTIONS = ("epsilon", "v_prediction")


class StableFamily(Family):
    """A U-Net, an autoencoder, CLIP text encoders with their tokenizers, and a schedule of noise."""

    original: ClassVar[Original]

    def check(self) -> None:
        encoders = list(self.original.towers)
        tokenizers = [f"tokenizer{part.removeprefix('text_encoder')}" for part in encoders]
        self.files.check([*encoders, "vae", "unet"], tokenizers)
        prediction = self.prediction
        if prediction not in (*PREDICTIONS, UNKNOWN):
            raise MissingBase(
                f"{self.path} predicts {prediction}, says its scheduler's configuration; known: "
                f"{', '.join(PREDICTIONS)}. If that is wrong, set its prediction_type"
            )
        inputs, latents = self.files.config("unet").get("in_channels"), self.files.config("vae").get("latent_channels")
        if inputs != latents:
            made_for = {9: "inpainting", 5: "depth"}.get(int(inputs or 0), "something else")
            raise MissingBase(
                f"{self.path} takes {inputs} channels where the autoencoder gives {latents}: it is a base for "
                f"{made_for}; expected one that draws from text alone"
            )

    @property
    def prediction(self) -> str:
        return str(self.files.config("scheduler").get("prediction_type", "epsilon"))

    @classmethod
    def one_encoder(cls, files: Files) -> bool:
        """Whether there are a U-Net and one CLIP as text encoder, no second one."""
        whole = files.has("unet", "UNet2DConditionModel") and files.has("text_encoder", "CLIPText")
        return whole and not files.has("text_encoder_2", "")

    def prepare(self) -> None:
        """Look whether all is there, and keep the libraries off the hub; called before anything is loaded."""
        self.check()
        from backbones.quiet import offline_and_quiet

        offline_and_quiet()
