"""A loaded SDXL (Podell et al. 2023): two text encoders, and a U-Net that is told how each picture was cut."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import torch
from diffusers import DDIMScheduler
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from backbones.backbone import Conditioning, Part
from backbones.family import Precision
from backbones.files import Files
from backbones.original import Original
from backbones.single_file import UNET
from backbones.stable_diffusion import Names, StableDiffusion
from backbones.words import TWO


class StableDiffusionXL(StableDiffusion):
    """``hidden`` is both encoders' last but one layer side by side, ``pooled`` the second one's vector of the text.

    ``time_ids`` are six numbers of each picture: the (height, width) it had, the (top, left) where it was cut, the
    (height, width) that it is shown in. Where they are missing, it is taken for one that was not scaled or cut.
    """

    parts: ClassVar[dict[Part, tuple[str, ...]]] = {
        "vae": ("vae",),
        "text": ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2"),
        "network": ("unet",),
    }
    encoders: ClassVar[Mapping[str, Any]] = {
        "text_encoder": CLIPTextModel,
        "text_encoder_2": CLIPTextModelWithProjection,
    }

    def __init__(self, files: Files, original: Original, names: Names, *, device: str, precision: Precision) -> None:
        super().__init__(files, original, names, device=device, precision=precision)
        self.zeros = bool(files.index.get("force_zeros_for_empty_prompt", True))
        """whether a text that is left out is all zeros, as the base was trained, and not the states of \"\""""
        for encoder, tokenizer in self._readers():
            # old configurations say 2; the pooled state would then be taken at the highest token number, which a
            # learned word has. Without one it is the same place.
            getattr(encoder, "text_model", encoder).eos_token_id = tokenizer.eos_token_id

    @property
    def vectors(self) -> tuple[str, ...]:
        return TWO

    def text_states(self, texts: Sequence[str]) -> Conditioning:
        hidden = []
        for encoder, tokenizer in self._readers():
            said = encoder(self._tokens(texts, tokenizer).to(self.device), output_hidden_states=True)
            hidden.append(said.hidden_states[-2])
        states = {"hidden": torch.cat(hidden, dim=-1), "pooled": said.text_embeds}
        left_out = torch.tensor([self.zeros and not text for text in texts], device=self.device)
        return {
            name: state.masked_fill(left_out.view(-1, *[1] * (state.dim() - 1)), 0.0) for name, state in states.items()
        }

    def framing(self, size: tuple[int, int], into: tuple[int, int]) -> Conditioning:
        (width, height), (wide, tall) = size, into
        scale = max(wide / width, tall / height)
        left, top = round((width * scale - wide) / 2), round((height * scale - tall) / 2)  # the middle is cut out
        return {"time_ids": torch.tensor([[height, width, top, left, tall, wide]], dtype=torch.float32)}

    def _told(self, noisy: Tensor, conditioning: Conditioning) -> dict[str, Any]:
        time_ids = conditioning.get("time_ids")
        if time_ids is None:
            height, width = (side * self.latent_scale for side in noisy.shape[-2:])
            plain = [height, width, 0, 0, height, width]
            time_ids = torch.tensor([plain], dtype=torch.float32, device=noisy.device).expand(len(noisy), -1)
        dtype = next(self.network.parameters()).dtype
        return {"added_cond_kwargs": {"text_embeds": conditioning["pooled"].to(dtype), "time_ids": time_ids}}

    def layer_name(self, side: str, path: str) -> str:
        if side != "unet":
            return super().layer_name(side, path)
        # kohya names the layers of SDXL's U-Net as the original file does
        place = self.original.place("unet", f"{path}.weight", self.network.config)  # type: ignore[arg-type]
        return f"lora_unet_{place.key.removeprefix(UNET).removesuffix('.weight').replace('.', '_')}"

    @cached_property
    def pipeline(self) -> Any:
        from diffusers import StableDiffusionXLPipeline

        return StableDiffusionXLPipeline(
            vae=self.vae,
            unet=self.network,
            scheduler=DDIMScheduler.from_config(self.scheduler_config, clip_sample=False),
            force_zeros_for_empty_prompt=self.zeros,
            add_watermarker=False,
            **self.text_encoders,
            **self.tokenizers,
        )
