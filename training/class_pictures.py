"""DreamBooth's prior preservation (Ruiz et al. 2023): pictures that the base makes of the class, trained beside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from core.cache import Array, Cache, remembered
from core.hashing import digest
from core.progress import report
from core.seeding import seed_of

if TYPE_CHECKING:
    from backbones.backbone import Backbone
    from training.data import Example


class ClassPictures(BaseModel):
    """Prior preservation: pictures that keep the model from forgetting what else is of the class."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompts: tuple[str, ...] = Field(min_length=1)
    """what the class is called, without the trigger: "a photo of a dog"; several are drawn in turn"""
    count: int = Field(default=50, ge=1)
    """how many there are; drawn once and kept in the cache. Pictures of regularisation in the dataset come beside"""
    share: float = Field(default=0.5, gt=0, lt=1)
    """of all that is shown in an epoch"""
    weight: float = Field(default=1.0, gt=0)
    """factor on their loss, beside 1 for the pictures that are to be learned"""
    steps: int = Field(default=20, ge=1)
    """of the sampler"""
    guidance: float = Field(default=4.0, ge=1)
    """how closely they follow their prompt"""
    seed: int = 0
    """another one draws other pictures"""


def drawn_class(spec: ClassPictures, backbone: Backbone, cache: Cache) -> list[Example]:
    """The class pictures, encoded, each as often and as important as an ordinary example. The base must be untuned."""
    import torch

    from training.data import Example

    prompts = [spec.prompts[number % len(spec.prompts)] for number in range(spec.count)]
    base = [backbone.fingerprint(part) for part in ("network", "text", "vae")]
    keys = [
        digest("class picture", prompt, number, spec.seed, spec.steps, spec.guidance, *base, length=32)
        for number, prompt in enumerate(prompts)
    ]

    def make(positions: list[int]) -> list[Array]:
        made: list[Array] = []
        for done, at in enumerate(positions, start=1):
            seed = seed_of("class picture", prompts[at], at, spec.seed) % 2**32
            pictures = backbone.sample([prompts[at]], [seed], steps=spec.steps, guidance=spec.guidance)
            made.append(backbone.encode_pictures(pictures)[0].cpu().numpy())
            report("drawing class pictures", done, len(positions))
        return made

    latents = remembered(cache, keys, make)
    framing = backbone.framing((backbone.resolution,) * 2, (backbone.resolution,) * 2)
    return [
        Example(f"class-{key}", torch.from_numpy(latent.copy()).float(), prompt, framing=framing)
        for key, latent, prompt in zip(keys, latents, prompts, strict=True)
    ]


def with_class(spec: ClassPictures, examples: Sequence[Example], of_class: Sequence[Example]) -> list[Example]:
    """Both together: those of the class make up the share that was asked for, at the importance that was asked for."""
    from dataclasses import replace

    shown, own = sum(example.weight for example in examples), sum(example.weight for example in of_class)
    times = spec.share / (1 - spec.share) * shown / own
    return [*examples, *(replace(e, weight=e.weight * times, importance=spec.weight) for e in of_class)]
