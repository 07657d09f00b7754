"""A loaded base model, frozen: what training, evaluation and augmentation ask of any family."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from backbones.adapter_files import attach_file, detach_file
from backbones.folder import fingerprint_of, sha256_of_part
from backbones.pieces import pieces
from backbones.sampling import denoise
from core.hashing import digest, sha256_of_file
from core.pixels import Pixels

Part = Literal["vae", "text", "network"]
Conditioning = dict[str, Tensor]
"""what the network is told beside the noise, each tensor (n, ...); ``hidden`` is (n, tokens, width)"""


def joined(conditionings: Sequence[Conditioning]) -> Conditioning:
    """One conditioning for a batch, from single ones."""
    return {name: torch.cat([conditioning[name] for conditioning in conditionings]) for name in conditionings[0]}


class Backbone(ABC):
    """One base on one device. The autoencoder and the text encoders are always fp32: they run once and are cached."""

    network: nn.Module
    """the denoising network: what adapters attach to"""
    vae: Any
    """a module like diffusers' `AutoencoderKL`"""
    text_encoders: dict[str, nn.Module]
    resolution: int
    """native side in pixels"""
    prediction_type: str
    """``epsilon`` or ``v_prediction``"""
    alphas_cumprod: Tensor
    """(timesteps,) float32 on the device"""
    scheduler_config: dict[str, Any]
    folder: Path
    device: str
    architecture: str
    """as modelspec calls it: ``stable-diffusion-v1``"""
    kohya_version: str
    """as kohya's files call it: ``sd_v1``"""
    parts: ClassVar[dict[Part, tuple[str, ...]]]
    """which of the folder's parts make up each fingerprint"""
    _applied: tuple[str, ...] = ()

    @abstractmethod
    def encode_text(self, texts: Sequence[str]) -> Conditioning:
        """Text states, padded to the tokenizer's own length; a longer text is cut there."""

    @abstractmethod
    def predict(self, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """What the network makes of noisy latents (n, c, h, w) at timesteps (n,): the noise, or v."""

    @cached_property
    @abstractmethod
    def pipeline(self) -> Any:
        """The same modules as a stock diffusers pipeline: for its loaders, and for `save_pretrained`."""

    @property
    def latent_scale(self) -> int:
        """Pixels per latent: 8 for Stable Diffusion."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    def fingerprint(self, part: Part) -> str:
        """What a cached value must follow from; so an adapter changes those of what it is applied to."""
        if part not in self._fingerprints:
            self._fingerprints[part] = fingerprint_of(self.folder, self.parts[part])
        base = self._fingerprints[part]
        tuned = {"vae": False, "text": self._text_tuned, "network": True}[part]
        return digest(base, *self._applied, length=32) if self._applied and tuned else base

    @property
    def _text_tuned(self) -> bool:
        return any(getattr(encoder, "peft_config", None) for encoder in self.text_encoders.values())

    @property
    def base_sha256(self) -> str:
        """SHA-256 of the network's weights file, for the metadata of what is trained on it."""
        return sha256_of_part(self.folder / self.parts["network"][0])

    @cached_property
    def _fingerprints(self) -> dict[Part, str]:
        return {}

    @torch.no_grad()
    def encode_pictures(self, pictures: Sequence[Pixels]) -> Tensor:
        """Latents (n, c, h, w) of pictures of one size: float32 on the CPU, scaled, the posterior's mode."""
        config = self.vae.config
        latents = []
        for some in pieces(pictures, self.device, 16):
            pixels = torch.from_numpy(np.stack(some)).to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
            mode = self.vae.encode(pixels).latent_dist.mode()
            latents.append(((mode - (config.shift_factor or 0.0)) * config.scaling_factor).cpu())
        return torch.cat(latents)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> list[Pixels]:
        """Pictures of latents (n, c, h, w)."""
        config = self.vae.config
        pictures: list[Pixels] = []
        for some in pieces(list(latents), self.device, 8):
            batch = torch.stack(list(some)).to(self.device, torch.float32)
            pixels = self.vae.decode(batch / config.scaling_factor + (config.shift_factor or 0.0)).sample
            pixels = ((pixels.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
            pictures.extend(pixels.permute(0, 2, 3, 1).cpu().numpy())
        return pictures

    def sample(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        steps: int = 20,
        guidance: float = 4.0,
        negative: str = "",
    ) -> list[Pixels]:
        """One picture per prompt and seed, by DDIM; ``guidance`` 1 asks the network once a step instead of twice.

        A picture follows from its own prompt and seed. On a CPU it is the same bit for bit whatever stands beside it,
        because each goes through alone (it costs about 1.5 times the time of a batch of eight).
        """
        return self.decode(denoise(self, prompts, seeds, steps=steps, guidance=guidance, negative=negative))

    @contextmanager
    def untuned(self) -> Iterator[None]:
        """Within it the base answers as it was, whatever adapter is on it (trained or applied)."""
        tuned: list[Any] = [m for m in (self.network, *self.text_encoders.values()) if getattr(m, "peft_config", None)]
        for module in tuned:
            module.disable_adapters()
        try:
            yield
        finally:
            for module in tuned:
                module.enable_adapters()

    def apply_adapter(self, file: Path, strength: float = 1.0) -> None:
        """Put a LoRA file (kohya's or diffusers' layout) on the network and text encoders, in place of the last one."""
        self.remove_adapter()
        attach_file(self.pipeline, Path(file), strength)
        self._applied = (sha256_of_file(Path(file)), repr(float(strength)))

    def remove_adapter(self) -> None:
        """Take off what `apply_adapter` put on."""
        if self._applied:
            detach_file(self.pipeline)
            self._applied = ()
