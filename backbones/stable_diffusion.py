"""A loaded Stable Diffusion with one CLIP text encoder (1.x, 2.x), from a diffusers folder that has been checked."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from backbones.backbone import Backbone, Conditioning, Part, joined
from backbones.family import Precision
from backbones.folder import weights_of
from backbones.pieces import pieces
from backbones.words import LearnedWord
from core.errors import RecipeError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class StableDiffusion(Backbone):
    """U-Net, KL autoencoder and CLIP text encoder; all sizes and factors are read from the parts' configurations."""

    parts: ClassVar[dict[Part, tuple[str, ...]]] = {
        "vae": ("vae",),
        "text": ("text_encoder", "tokenizer"),
        "network": ("unet",),
    }

    def __init__(
        self, folder: Path, *, device: str, precision: Precision, architecture: str, kohya_version: str
    ) -> None:
        self.folder, self.device = folder, device
        self.architecture, self.kohya_version = architecture, kohya_version
        self.network = unet = self._part(UNet2DConditionModel, "unet", torch_dtype=DTYPES[precision])
        self.vae = self._part(AutoencoderKL, "vae", torch_dtype=torch.float32)
        self.text_encoder = self._part(CLIPTextModel, "text_encoder", dtype=torch.float32)
        self.text_encoders = {"text_encoder": self.text_encoder}
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        self.scheduler_config = dict(DDIMScheduler.load_config(folder / "scheduler", local_files_only=True))
        self.prediction_type = str(self.scheduler_config.get("prediction_type", "epsilon"))
        self.alphas_cumprod = DDIMScheduler.from_config(self.scheduler_config).alphas_cumprod.to(device)
        self.resolution = int(unet.config.sample_size) * self.latent_scale
        self.tokens = min(self.tokenizer.model_max_length, self.text_encoder.config.max_position_embeddings)

    def _part(self, kind: Any, name: str, **dtype: torch.dtype) -> Any:
        variant = weights_of(self.folder / name)[1] or None
        part = kind.from_pretrained(
            self.folder / name, local_files_only=True, use_safetensors=True, variant=variant, **dtype
        )
        return part.to(self.device).eval().requires_grad_(False)

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Conditioning:
        return joined([self.text_states(some) for some in pieces(texts, self.device, 32)])

    def text_states(self, texts: Sequence[str]) -> Conditioning:
        return {"hidden": self.text_encoder(self._tokens(texts).to(self.device))[0]}

    def _tokens(self, texts: Sequence[str]) -> Tensor:
        if not self.words:
            tokens: Tensor = self.tokenizer(
                list(texts), padding="max_length", max_length=self.tokens, truncation=True, return_tensors="pt"
            ).input_ids
            return tokens
        first, last, empty = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id, self.tokenizer.pad_token_id
        rows = []
        for text in texts:
            row = self.tokenizer(text, add_special_tokens=False).input_ids
            for word in self.words:
                row = word.put_into(row)
            row = [first, *row[: self.tokens - 2], last]
            rows.append(row + [empty] * (self.tokens - len(row)))
        return torch.tensor(rows)

    @property
    def words(self) -> list[LearnedWord]:
        """Words that learned vectors stand for now."""
        return [tuning for tuning in self.tunings if isinstance(tuning, LearnedWord)]

    def learn_word(self, word: str, vectors: Tensor) -> LearnedWord:
        table = self.text_encoder.get_input_embeddings()
        if vectors.shape[1] != table.embedding_dim:
            raise ValueError(f"its vectors have {vectors.shape[1]} numbers, this text encoder's {table.embedding_dim}")
        return LearnedWord(table, self.tokens_of(word), vectors)

    def tokens_of(self, words: str) -> list[int]:
        tokens: list[int] = self.tokenizer(words, add_special_tokens=False).input_ids
        if not tokens or self.tokenizer.unk_token_id in tokens:
            raise RecipeError(f"{words!r} is nothing that the base's tokenizer can read; use letters that it knows")
        return tokens

    def predict(self, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        dtype = next(self.network.parameters()).dtype  # full training changes it
        hidden = conditioning["hidden"].to(dtype)
        predicted: Tensor = self.network(noisy.to(dtype), timesteps, hidden, return_dict=False)[0]
        return predicted

    @cached_property
    def pipeline(self) -> Any:
        from diffusers import StableDiffusionPipeline  # late: it takes seconds to import

        return StableDiffusionPipeline(
            vae=self.vae,
            text_encoder=self.text_encoder,
            tokenizer=self.tokenizer,
            unet=self.network,
            scheduler=DDIMScheduler.from_config(self.scheduler_config, clip_sample=False),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
