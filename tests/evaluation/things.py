"""A base of a few thousand weights, and pictures of 6 x 6: small, but really trained and really noised."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from backbones.backbone import Backbone, Conditioning
from core.pixels import Pixels
from core.seeding import generator
from evaluation.case import Case
from evaluation.metric import Gallery, Metric, Subject


class TinyNetwork(nn.Module):
    """Picture, timestep and words in; noise out. The dropout is there to be switched off."""

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.into = nn.Linear(2 * 6 * 6 + 1 + 8, width)
        self.out = nn.Sequential(
            nn.SiLU(), nn.Dropout(0.1), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2 * 6 * 6)
        )

    def forward(self, noisy: Tensor, timesteps: Tensor, hidden: Tensor) -> Tensor:
        into = torch.cat([noisy.flatten(1), timesteps[:, None] / 1000, hidden.mean(1)], 1)
        out: Tensor = self.out(self.into(into)).view_as(noisy)
        return out


class TinyBackbone(Backbone):
    """Answers any shape of latent if ``network`` does."""

    def __init__(self, network: nn.Module, prediction_type: str = "epsilon") -> None:
        self.network, self.prediction_type = network, prediction_type
        self.device, self.resolution = "cpu", 8
        self.alphas_cumprod = (1 - torch.linspace(0.0292, 0.1095, 1000) ** 2).cumprod(0)

    def encode_text(self, texts: Sequence[str]) -> Conditioning:
        states = [torch.from_numpy(generator("words", text).normal(size=(3, 8))).float() for text in texts]
        return {"hidden": torch.stack(states)}

    def predict(self, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        predicted: Tensor = self.network(noisy, timesteps, conditioning["hidden"])
        return predicted

    @cached_property
    def pipeline(self) -> Any:
        raise NotImplementedError

    def encode_pictures(self, pictures: Sequence[Pixels]) -> Tensor:
        small = np.stack([picture[2:14:2, 2:14:2, :2] for picture in pictures])
        return torch.from_numpy(small / 127.5 - 1).float().permute(0, 3, 1, 2)

    def sample(self, prompts: Sequence[str], seeds: Sequence[int], **_: object) -> list[Pixels]:
        return [picture(prompt, seed) for prompt, seed in zip(prompts, seeds, strict=True)]

    def fingerprint(self, part: str) -> str:
        return f"tiny-{part}"


def picture(*seed: object, side: int = 16) -> Pixels:
    """A few coloured bars on white: pictures of one kind, no two alike."""
    rng = generator("picture", *seed)
    made = np.full((side, side, 3), 255, np.uint8)
    for _ in range(4):
        top, left = rng.integers(0, side - 4, 2)
        made[top : top + rng.integers(3, side // 2), left : left + rng.integers(3, side // 2)] = rng.integers(0, 256, 3)
    return made


def cases(backbone: Backbone, side: str, count: int, *, groups: int = 0) -> list[Case]:
    """Pictures of one kind (a shared pattern plus what is their own), each with its own words."""
    shared = generator("pattern").normal(size=(2, 6, 6))
    made = []
    for at in range(count):
        own = generator("latent", side, at).normal(size=(2, 6, 6))
        latent = torch.from_numpy(shared + 0.7 * own).float()
        group = f"{side}-{at % groups}" if groups else ""
        made.append(Case(f"{side}-{at}", group, latent, backbone.encode_text([f"{side} {at}"])))
    return made


def others(backbone: Backbone, count: int, name: str = "other") -> list[Case]:
    """Pictures of the kind that the base has learned."""
    return [
        Case(
            f"{name}-{at}",
            "",
            torch.from_numpy(generator(name, at).normal(size=(2, 6, 6))).float(),
            backbone.encode_text([f"{name} {at}"]),
        )
        for at in range(count)
    ]


def gallery(side: str, count: int, *, groups: int = 0) -> Gallery:
    """Pictures of one kind, and embeddings that follow from them."""
    pixels = tuple(picture(side, at) for at in range(count))
    return Gallery(
        tuple(f"{side}-{at}" for at in range(count)),
        tuple(f"{side}-{at % groups if groups else at}" for at in range(count)),
        pixels,
        embeddings(pixels),
    )


def embeddings(pixels: Sequence[Pixels]) -> np.ndarray:
    """A fixed random look at the pixels, unit length, as CLIP's are."""
    look = generator("look").normal(size=(16 * 16 * 3, 24))
    seen = np.stack([one.reshape(-1) / 255 - 0.7 for one in pixels]) @ look
    return (seen / np.linalg.norm(seen, axis=1, keepdims=True)).astype(np.float32)


def said(texts: Sequence[str]) -> np.ndarray:
    """Vectors of texts beside those of `embeddings`: each text's own direction."""
    seen = np.stack([generator("text", text).normal(size=24) for text in texts])
    return (seen / np.linalg.norm(seen, axis=1, keepdims=True)).astype(np.float32)


def made(metric: Metric, subject: Subject, draw: Callable[[str, int], Pixels] = picture) -> Subject:
    """The subject with the samples that the metric asks for."""
    shots = metric.shots(subject.evidence.wording)
    if not shots:
        return subject
    pixels = tuple(draw(shot.prompt, shot.turn) for shot in shots)
    names = tuple(shot.prompt for shot in shots)
    return replace(subject, samples=Gallery(names, names, pixels, embeddings(pixels)), said=said)


def train(base: TinyBackbone, learned: Sequence[Case], steps: int, rate: float = 3e-3) -> TinyBackbone:
    """A copy of the base, trained on these pictures."""
    return along(base, learned, [steps], rate)[steps]


def along(
    base: TinyBackbone, learned: Sequence[Case], steps: Sequence[int], rate: float = 3e-3
) -> dict[int, TinyBackbone]:
    """Copies of the base at several steps of one training on these pictures."""
    tuned = TinyBackbone(deepcopy(base.network), base.prediction_type)
    own = torch.Generator().manual_seed(7)
    weights = list(tuned.network.parameters())
    slow, square = ([torch.zeros_like(weight) for weight in weights] for _ in range(2))
    latents = torch.stack([case.latent for case in learned])
    hidden = torch.cat([case.conditioning["hidden"] for case in learned])
    kept = {}
    for step in range(max(steps) + 1):
        if step in steps:
            kept[step] = TinyBackbone(deepcopy(tuned.network).eval(), base.prediction_type)
        which = torch.randint(len(learned), (32,), generator=own)
        t = torch.randint(1000, (32,), generator=own)
        noise = torch.randn(32, 2, 6, 6, generator=own)
        alpha = tuned.alphas_cumprod[t].view(-1, 1, 1, 1)
        noisy = alpha.sqrt() * latents[which] + (1 - alpha).sqrt() * noise
        loss = (tuned.predict(noisy, t, {"hidden": hidden[which]}) - noise).square().mean()
        # Adam by hand: importing torch.optim's takes longer than all this training
        for weight, g, m, v in zip(weights, torch.autograd.grad(loss, weights), slow, square, strict=True):
            m.lerp_(g, 0.1)
            v.lerp_(g.square(), 0.01)
            debias = 1 - 0.9 ** (step + 1), 1 - 0.99 ** (step + 1)
            weight.data -= rate * (m / debias[0]) / ((v / debias[1]).sqrt() + 1e-8)
    return kept
