"""The examples as the loop draws them: everything on the device beforehand, a position that a checkpoint can hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backbones.backbone import Conditioning, joined
from core.errors import NotEnoughData
from core.hashing import digest, sha256_of
from core.seeding import generator
from training.objective import Batch
from training.tensors import bytes_of


@dataclass(frozen=True)
class Example:
    """One picture, encoded, and what is said of it."""

    record: str
    latent: Tensor
    """(c, h, w)"""
    caption: str
    weight: float = 1.0
    """how often it is drawn in an epoch: 2 twice, 0.5 in every second one"""
    importance: float = 1.0
    """factor on its loss"""
    mask: Tensor | None = None
    """(1, h, w) factor on each place's loss"""


def identity_of(examples: Sequence[Example]) -> str:
    """Follows from all that the examples are, their order included."""
    latents = sha256_of(b"".join(bytes_of(example.latent) for example in examples))
    masks = sha256_of(b"".join(bytes_of(e.mask) for e in examples if e.mask is not None))
    return digest([(e.record, e.caption, e.weight, e.importance, e.mask is None) for e in examples], latents, masks)


class Data:
    """Batches by weighted epochs, shuffled, without replacement, without end; a batch may reach into the next epoch."""

    def __init__(
        self,
        examples: Sequence[Example],
        conditionings: Mapping[str, Conditioning],
        *,
        batch_size: int,
        caption_dropout: float,
        seed: int,
        device: str,
    ) -> None:
        self._weights = np.array([example.weight for example in examples], dtype=np.float64)
        if not self._weights.sum() > 0:
            raise NotEnoughData("there is no picture to train on: none was left, or each has weight 0")
        shapes = {tuple(example.latent.shape) for example in examples}
        assert len(shapes) == 1, f"latents of several shapes: {sorted(shapes)}"
        texts = list(dict.fromkeys(["", *(example.caption for example in examples)]))  # "" is number 0
        missing = [text for text in texts if text not in conditionings]
        assert not missing, f"no text states for {missing[:3]}"
        numbers = {text: number for number, text in enumerate(texts)}
        masks = [example.mask for example in examples]
        importance = torch.tensor([example.importance for example in examples])
        self._captions = [example.caption for example in examples]
        self._texts = torch.tensor([numbers[example.caption] for example in examples])
        self._latents = torch.stack([example.latent for example in examples]).to(device)
        self._states = {k: v.to(device) for k, v in joined([conditionings[text] for text in texts]).items()}
        self._importance = None if bool((importance == 1).all()) else importance.to(device)
        ones = torch.ones(1, *next(iter(shapes))[1:])
        self._masks = (
            torch.stack([ones if mask is None else mask for mask in masks]).to(device)
            if any(mask is not None for mask in masks)
            else None
        )
        self._batch_size, self._dropout, self._seed, self._device = batch_size, caption_dropout, seed, device
        self._offsets = generator("weights", seed).random(len(examples))
        self.epoch, self.offset = 0, 0
        self._order = self._shuffled(0)

    def seek(self, epoch: int, offset: int) -> None:
        """Go to where a checkpoint was taken."""
        self.epoch, self.offset, self._order = epoch, offset, self._shuffled(epoch)

    def draw(self, rng: torch.Generator) -> Batch:
        """The next batch; which captions are dropped is drawn from ``rng``."""
        picked = self._next(self._batch_size)
        texts = self._texts[picked]
        dropped = torch.rand(len(picked), generator=rng) < self._dropout
        texts[dropped] = 0
        captions = [
            "" if drop else self._captions[i] for i, drop in zip(picked.tolist(), dropped.tolist(), strict=True)
        ]
        rows, texts = self._move(picked), self._move(texts)
        return Batch(
            latents=self._latents[rows],
            conditioning={name: state[texts] for name, state in self._states.items()},
            captions=captions,
            importance=None if self._importance is None else self._importance[rows],
            mask=None if self._masks is None else self._masks[rows],
        )

    def _move(self, rows: Tensor) -> Tensor:
        return rows if self._device == "cpu" else rows.pin_memory().to(self._device, non_blocking=True)

    def _next(self, count: int) -> Tensor:
        picked: list[int] = []
        while len(picked) < count:
            if self.offset >= len(self._order):
                self.seek(self.epoch + 1, 0)
                continue
            some = self._order[self.offset : self.offset + count - len(picked)]
            picked.extend(some.tolist())
            self.offset += len(some)
        return torch.tensor(picked)

    def _shuffled(self, epoch: int) -> NDArray[np.intp]:
        # an example of weight 1.5 comes once in one epoch and twice in the next; its own offset says which first
        times = np.floor(self._weights * (epoch + 1) + self._offsets) - np.floor(self._weights * epoch + self._offsets)
        copies = np.repeat(np.arange(len(self._weights)), times.astype(np.intp))
        return generator("order", self._seed, epoch).permutation(copies)
