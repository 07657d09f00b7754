"""A loaded base model, frozen: what training, evaluation and augmentation ask of any family."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from backbones.adapter_files import hash_of, tuning_from
from backbones.files import Files
from backbones.noising import Diffusing
from backbones.original import Original
from backbones.pieces import pieces
from backbones.sampling import denoise
from backbones.tuning import Tuning
from backbones.words import LearnedWord
from core.errors import RecipeError
from core.hashing import digest
from core.pixels import Pixels

Part = Literal["vae", "text", "network"]
Conditioning = dict[str, Tensor]
"""what the network is told beside the noise, each tensor (n, ...); ``hidden`` is (n, tokens, width)"""


def joined(conditionings: Sequence[Conditioning]) -> Conditioning:
    """One conditioning for a batch, from single ones."""
    return {name: torch.cat([conditioning[name] for conditioning in conditionings]) for name in conditionings[0]}


class Backbone(Diffusing, ABC):
    """One base on one device. The autoencoder and the text encoders are always fp32: they run once and are cached."""

    network: nn.Module
    """the denoising network: what adapters attach to"""
    vae: Any
    """a module like diffusers' `AutoencoderKL`"""
    text_encoders: dict[str, nn.Module]
    """by the part's name: ``text_encoder``, and ``text_encoder_2`` where there is a second"""
    tokenizers: dict[str, Any]
    """``tokenizer``, ``tokenizer_2``: one for each text encoder, in their order"""
    resolution: int
    """native side in pixels"""
    files: Files
    """where it was loaded from"""
    original: Original | None = None
    """how the family's single files are; none: it has no such files"""
    architecture: str
    """as modelspec calls it: ``stable-diffusion-v1``"""
    kohya_version: str
    """as kohya's files call it: ``sd_v1``"""
    parts: ClassVar[dict[Part, tuple[str, ...]]]
    """which of the folder's parts make up each fingerprint"""
    _applied: tuple[Tuning, str, str] | None = None

    @abstractmethod
    def encode_text(self, texts: Sequence[str]) -> Conditioning:
        """Text states, padded to the tokenizer's own length; a longer text is cut there."""

    def text_states(self, texts: Sequence[str]) -> Conditioning:  # noqa: ARG002
        """As `encode_text`, all at once, and gradients flow: for what trains words or the text encoder."""
        raise RecipeError(
            f"words and text encoders are not trained for {self.architecture} yet; train the network only"
        )

    def tokens_of(self, words: str) -> list[int]:
        """Numbers of the tokens that some words are, without those of begin and end."""
        raise RecipeError(f"{words!r}: learned words are not made for {self.architecture} yet")

    @abstractmethod
    def predict(self, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """What the network makes of noisy latents (n, c, h, w) at timesteps (n,): the noise, or v."""

    @cached_property
    @abstractmethod
    def pipeline(self) -> Any:
        """The same modules as a stock diffusers pipeline: for its loaders, and for `save_pretrained`."""

    @property
    def folder(self) -> Path:
        """The folder or the file that it was loaded from."""
        return self.files.path

    @property
    def modules(self) -> dict[str, nn.Module]:
        """Its networks by the part's name."""
        return {self.parts["network"][0]: self.network, "vae": self.vae, **self.text_encoders}

    @property
    def vectors(self) -> tuple[str, ...]:
        """What files of learned words call the vectors of each text encoder."""
        return ("emb_params",)

    def layer_name(self, side: str, path: str) -> str:
        """A layer's name in kohya's and LyCORIS's files; ``side`` is a part: ``unet``, ``text_encoder``."""
        if side not in self.text_encoders:
            return f"lora_{side}_{path.replace('.', '_')}"
        number = f"{list(self.text_encoders).index(side) + 1}" if len(self.text_encoders) > 1 else ""
        # transformers 5.6 took the text_model level out of some modules; in files it stays
        return f"lora_te{number}_text_model_{path.removeprefix('text_model.').replace('.', '_')}"

    def framing(self, size: tuple[int, int], into: tuple[int, int]) -> Conditioning:  # noqa: ARG002
        """What the network is told of how a picture was cut, each tensor (1, ...).

        ``size`` is its own (width, height), ``into`` the one that it was scaled and cut to. Most families have no words
        for it.
        """
        return {}

    @property
    def side_step(self) -> int:
        """Pixels that the sides of a picture must be multiples of."""
        config: Any = self.network.config
        return int(self.latent_scale * 2 ** (len(config.block_out_channels) - 1))

    @property
    def latent_scale(self) -> int:
        """Pixels per latent: 8 for Stable Diffusion."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    def fingerprint(self, part: Part) -> str:
        """What a cached value must follow from; so an adapter changes those of what it is applied to."""
        if part not in self._fingerprints:
            self._fingerprints[part] = self.files.fingerprint(self.parts[part])
        base = self._fingerprints[part]
        tuned = {"vae": False, "text": self.words_tuned, "network": True}[part]
        return digest(base, *self._applied[1:], length=32) if self._applied and tuned else base

    @property
    def words_tuned(self) -> bool:
        """Whether the text encoder speaks otherwise than the base's: text states that were kept do not hold then."""
        return any(tuning.words for tuning in self.tunings)

    @cached_property
    def tunings(self) -> list[Tuning]:
        """All that sits on the base now, trained or applied."""
        return []

    @property
    def base_sha256(self) -> str:
        """SHA-256 of the network's weights file, for the metadata of what is trained on it."""
        return self.files.sha256(self.parts["network"][0])

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
        with ExitStack() as stack:
            for tuning in self.tunings:
                stack.enter_context(tuning.off())
            yield

    @contextmanager
    def tuned_by(self, tuning: Tuning) -> Iterator[None]:
        """Within it the tuning counts as sitting on the base; at the end it is removed."""
        self.tunings.append(tuning)
        try:
            yield
        finally:
            self.drop(tuning)

    def drop(self, tuning: Tuning) -> None:
        """Take a tuning off for good."""
        self.tunings.remove(tuning)
        tuning.remove()

    def learn_word(self, word: str, vectors: Sequence[Tensor]) -> LearnedWord:  # noqa: ARG002
        """Let vectors (n, width) stand for a word from now on, of each text encoder its own.

        The caller keeps the tuning and removes it.
        """
        raise RecipeError(f"{word!r}: learned words are not made for {self.architecture} yet")

    def apply_adapter(self, file: Path, strength: float = 1.0) -> None:
        """Put an adapter on the network and text encoders, in place of the last one applied.

        LoRA in kohya's or diffusers' layout, LyCORIS's kinds, an embedding, a hypernetwork, a whole checkpoint (one
        file or a diffusers folder).
        """
        self.remove_adapter()
        tuning = tuning_from(self, Path(file), strength)
        self.tunings.append(tuning)
        self._applied = (tuning, hash_of(Path(file)), repr(float(strength)))

    def remove_adapter(self) -> None:
        """Take off what `apply_adapter` put on."""
        if self._applied is not None:
            self.drop(self._applied[0])
            self._applied = None
