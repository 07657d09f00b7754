"""A loaded Stable Diffusion: U-Net, autoencoder and one CLIP text encoder (1.x, 2.x). SDXL is built on it."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel

from backbones.backbone import Backbone, Conditioning, Part, joined
from backbones.family import UNKNOWN, Precision
from backbones.files import Files
from backbones.original import Original
from backbones.pieces import pieces
from backbones.prediction import shown_prediction
from backbones.words import LearnedWord
from core.errors import RecipeError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
Names = Mapping[str, tuple[str, str]]
"""by what is predicted: the architecture as modelspec calls it, and the version as kohya's files do"""


class StableDiffusion(Backbone):
    """All sizes and factors are read from the parts' configurations."""

    parts: ClassVar[dict[Part, tuple[str, ...]]] = {
        "vae": ("vae",),
        "text": ("text_encoder", "tokenizer"),
        "network": ("unet",),
    }
    encoders: ClassVar[Mapping[str, Any]] = {"text_encoder": CLIPTextModel}
    """the text encoders' parts, and their classes"""
    original: Original

    def __init__(self, files: Files, original: Original, names: Names, *, device: str, precision: Precision) -> None:
        self.files, self.original, self.device = files, original, device
        self.network = self._part(UNet2DConditionModel, "unet", DTYPES[precision])
        # never less than fp32: SDXL's overflows in fp16, and the pictures are black
        self.vae = self._part(AutoencoderKL, "vae", torch.float32)
        self.text_encoders = {part: self._part(kind, part, torch.float32) for part, kind in self.encoders.items()}
        parts = [f"tokenizer{part.removeprefix('text_encoder')}" for part in self.encoders]
        self.tokenizers = {part: files.tokenizer(part) for part in parts}
        self.tokens = min(
            min(tokenizer.model_max_length, encoder.config.max_position_embeddings)
            for encoder, tokenizer in self._readers()
        )
        self.scheduler_config = dict(files.config("scheduler"))
        self.resolution = int(self.network.config.sample_size) * self.latent_scale  # type: ignore[union-attr, arg-type]
        self._schedule()
        self.architecture, self.kohya_version = names[self.prediction_type]

    def _schedule(self) -> None:
        self.prediction_type = str(self.scheduler_config.get("prediction_type", "epsilon"))
        known = {"prediction_type": "epsilon"} if self.prediction_type == UNKNOWN else {}
        self.scheduler_config |= known
        self.alphas_cumprod = DDIMScheduler.from_config(self.scheduler_config).alphas_cumprod.to(self.device)
        if known:
            self.scheduler_config["prediction_type"] = self.prediction_type = shown_prediction(self)
            if self.prediction_type == "v_prediction" and self.original.sample_size_v:
                self.resolution = self.original.sample_size_v * self.latent_scale

    def _part(self, kind: Any, name: str, dtype: torch.dtype) -> Any:
        return self.files.module(kind, name, dtype).to(self.device).eval().requires_grad_(False)

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Conditioning:
        return joined([self.text_states(some) for some in pieces(texts, self.device, 32)])

    def text_states(self, texts: Sequence[str]) -> Conditioning:
        ((encoder, tokenizer),) = self._readers()
        return {"hidden": encoder(self._tokens(texts, tokenizer).to(self.device))[0]}

    def _readers(self) -> list[tuple[Any, Any]]:
        """Each text encoder with its tokenizer."""
        return list(zip(self.text_encoders.values(), self.tokenizers.values(), strict=True))

    def _tokens(self, texts: Sequence[str], tokenizer: Any) -> Tensor:
        if not self.words:
            tokens: Tensor = tokenizer(
                list(texts), padding="max_length", max_length=self.tokens, truncation=True, return_tensors="pt"
            ).input_ids
            return tokens
        first, last, empty = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
        rows = []
        for text in texts:
            row = tokenizer(text, add_special_tokens=False).input_ids
            for word in self.words:
                row = word.put_into(row)
            row = [first, *row[: self.tokens - 2], last]
            rows.append(row + [empty] * (self.tokens - len(row)))
        return torch.tensor(rows)

    @property
    def words(self) -> list[LearnedWord]:
        """Words that learned vectors stand for now."""
        return [tuning for tuning in self.tunings if isinstance(tuning, LearnedWord)]

    def learn_word(self, word: str, vectors: Sequence[Tensor]) -> LearnedWord:
        tables = [encoder.get_input_embeddings() for encoder, _ in self._readers()]
        for table, own in zip(tables, vectors, strict=True):
            if own.shape[1] != table.embedding_dim:
                raise ValueError(f"its vectors have {own.shape[1]} numbers, this text encoder's {table.embedding_dim}")
        return LearnedWord(tables, self.tokens_of(word), vectors)

    def tokens_of(self, words: str) -> list[int]:
        _, tokenizer = self._readers()[0]
        tokens: list[int] = tokenizer(words, add_special_tokens=False).input_ids
        if not tokens or tokenizer.unk_token_id in tokens:
            raise RecipeError(f"{words!r} is nothing that the base's tokenizer can read; use letters that it knows")
        return tokens

    def predict(self, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        dtype = next(self.network.parameters()).dtype  # full training changes it
        hidden = conditioning["hidden"].to(dtype)
        more = self._told(noisy, conditioning)
        predicted: Tensor = self.network(noisy.to(dtype), timesteps, hidden, return_dict=False, **more)[0]
        return predicted

    def _told(self, noisy: Tensor, conditioning: Conditioning) -> dict[str, Any]:  # noqa: ARG002
        """What the network is told beside timestep and text states."""
        return {}

    @cached_property
    def pipeline(self) -> Any:
        from diffusers import StableDiffusionPipeline  # late: it takes seconds to import

        return StableDiffusionPipeline(
            vae=self.vae,
            unet=self.network,
            scheduler=DDIMScheduler.from_config(self.scheduler_config, clip_sample=False),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
            **self.text_encoders,
            **self.tokenizers,
        )
