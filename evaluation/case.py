"""What the network is asked about: one picture as a latent with its words. Real ones, or ones the base itself made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.cache import Array, Cache, Memory, remembered
from core.hashing import digest
from core.seeding import seed_of

if TYPE_CHECKING:
    from torch import Tensor

    from backbones.backbone import Backbone, Conditioning


@dataclass(frozen=True, slots=True)
class Case:
    """One picture with the words it is known by. For train and held-out alike it must be a real one, not augmented."""

    record: str
    """the record's id: the noise follows from it"""
    group: str
    """near-duplicates share it and count as one; empty where the picture stands alone"""
    latent: Tensor
    """(c, h, w) float32, scaled"""
    conditioning: Conditioning
    """of this picture's caption, by the text encoder of the network that is asked (encode again where that one was
    trained too): each tensor (1, ...)"""


def chosen(cases: Sequence[Case], most: int) -> list[Case]:
    """At most ``most`` of them, the same ones whatever else there is: one of each group before a second of any.

    A picture's turn follows from its own name, so adding a picture to the dataset changes at most one of the chosen.
    """
    turns: dict[str, int] = {}
    ordered = sorted(cases, key=lambda case: digest("chosen", case.record))
    queue = []
    for case in ordered:
        group = case.group or case.record
        turns[group] = turns.get(group, 0) + 1
        queue.append((turns[group], digest("chosen", group), case.record, case))
    picked = {record for _, _, record, _ in sorted(queue, key=lambda item: item[:3])[:most]}
    return [case for case in cases if case.record in picked]


def prior_cases(
    backbone: Backbone, prompts: Sequence[str], cache: Cache | None = None, *, steps: int = 20, guidance: float = 4.0
) -> list[Case]:
    """Pictures of what the base knows, made by the base itself: one per prompt, as latents with their words.

    ``backbone`` must be the untuned base. Each costs one sample (0.6 s of a core on the pocket base), once: ``cache``
    keeps the latents.
    """
    import torch

    base = backbone.fingerprint("network"), backbone.fingerprint("text"), backbone.fingerprint("vae")
    keys = [digest("prior", prompt, at, steps, guidance, *base, length=32) for at, prompt in enumerate(prompts)]

    def make(positions: list[int]) -> list[Array]:
        pictures = backbone.sample(
            [prompts[at] for at in positions],
            [seed_of("prior", prompts[at], at) % 2**32 for at in positions],
            steps=steps,
            guidance=guidance,
        )
        return list(backbone.encode_pictures(pictures).cpu().numpy())

    latents = remembered(cache if cache is not None else Memory(), keys, make)
    return [
        Case(f"prior-{key}", "", torch.from_numpy(latent.copy()).float(), backbone.encode_text([prompt]))
        for key, latent, prompt in zip(keys, latents, prompts, strict=True)
    ]
