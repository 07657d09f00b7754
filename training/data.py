"""The examples as the loop draws them: everything on the device beforehand, a position that a checkpoint can hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from backbones.backbone import Conditioning, joined
from core.errors import NotEnoughData
from core.hashing import digest, sha256_of
from training.chance import Rows
from training.objective import Batch
from training.order import Order
from training.tensors import bytes_of

Shape = tuple[int, ...]


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
    wordings: tuple[str, ...] = ()
    """what is said in place of the caption, one of them drawn each time; empty: the caption itself"""
    framing: Conditioning = field(default_factory=dict)
    """how it was cut, as `Backbone.framing` says it"""

    @property
    def said(self) -> tuple[str, ...]:
        """All that it is shown with."""
        return self.wordings or (self.caption,)

    @property
    def shape(self) -> Shape:
        """Of its latent."""
        return tuple(self.latent.shape)


def identity_of(examples: Sequence[Example]) -> str:
    """Follows from all that the examples are, their order included."""
    latents = sha256_of(b"".join(bytes_of(example.latent) for example in examples))
    masks = sha256_of(b"".join(bytes_of(e.mask) for e in examples if e.mask is not None))
    framing = sha256_of(b"".join(bytes_of(tensor) for e in examples for tensor in e.framing.values()))
    said = [(e.record, e.caption, e.weight, e.importance, e.mask is None, e.shape, e.wordings) for e in examples]
    return digest(said, latents, masks, framing)


@dataclass(frozen=True, slots=True)
class Shown:
    """One step's examples before they are cut into pieces: their numbers, and what is said with each."""

    picked: list[int]
    texts: list[int]
    """numbers of their text states; 0 is the empty caption's"""
    mixed: bool
    """whether their latents have several shapes"""


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
        pieces: int = 1,
    ) -> None:
        if not sum(example.weight for example in examples) > 0:
            raise NotEnoughData("there is no picture to train on: none was left, or each has weight 0")
        self._batch_size, self._dropout, self._device, self._pieces = batch_size, caption_dropout, device, pieces
        self._keep_texts(examples, conditionings)
        self._keep_pictures(examples)
        shapes = [example.shape for example in examples]
        self._ordered = Order([e.weight for e in examples], shapes, batch_size=batch_size, seed=seed)
        self.epoch, self.offset = 0, 0
        self._order = self._ordered.epoch(0)

    def _keep_texts(self, examples: Sequence[Example], conditionings: Mapping[str, Conditioning]) -> None:
        texts = list(dict.fromkeys(["", *(text for example in examples for text in example.said)]))  # "" is number 0
        missing = [text for text in texts if text not in conditionings]
        assert not missing, f"no text states for {missing[:3]}"
        numbers = {text: number for number, text in enumerate(texts)}
        self._texts = texts
        self._said = [[numbers[text] for text in example.said] for example in examples]
        self._worded = any(len(said) > 1 for said in self._said)
        self._states = {k: v.to(self._device) for k, v in joined([conditionings[text] for text in texts]).items()}

    def _keep_pictures(self, examples: Sequence[Example]) -> None:
        """Latents and masks of one shape stand together; ``_place`` says where in its own an example is."""
        groups: dict[Shape, list[int]] = {}
        for number, example in enumerate(examples):
            groups.setdefault(example.shape, []).append(number)
        self._shape = [example.shape for example in examples]
        self._place = {number: place for group in groups.values() for place, number in enumerate(group)}
        self._latents = {
            shape: torch.stack([examples[n].latent for n in group]).to(self._device) for shape, group in groups.items()
        }
        self._masks: dict[Shape, Tensor] | None = None
        if any(example.mask is not None for example in examples):
            self._masks = {}
            for shape, group in groups.items():
                masks = [examples[n].mask for n in group]
                ones = torch.ones(1, *shape[1:])
                together = torch.stack([ones if mask is None else mask for mask in masks])
                self._masks[shape] = together.to(self._device)
        self._framing = {
            name: torch.cat([example.framing[name] for example in examples]).to(self._device)
            for name in examples[0].framing
        }
        importance = torch.tensor([example.importance for example in examples])
        self._importance = None if bool((importance == 1).all()) else importance.to(self._device)

    @property
    def bytes(self) -> int:
        """What it holds on the device."""
        held = [*self._latents.values(), *(self._masks or {}).values(), *self._states.values()]
        return sum(tensor.numel() * tensor.element_size() for tensor in held)

    def seek(self, epoch: int, offset: int) -> None:
        """Go to where a checkpoint was taken."""
        self.epoch, self.offset, self._order = epoch, offset, self._ordered.epoch(epoch)

    def show(self, rng: torch.Generator) -> Shown:
        """The next step's examples; which captions are dropped, and which wording is taken, is drawn from ``rng``."""
        picked = self._next(self._batch_size)
        dropped = (torch.rand(len(picked), generator=rng) < self._dropout).tolist()
        turns = torch.rand(len(picked), generator=rng).tolist() if self._worded else [0.0] * len(picked)
        texts = [
            0 if drop else self._said[number][int(turn * len(self._said[number]))]
            for number, drop, turn in zip(picked, dropped, turns, strict=True)
        ]
        return Shown(picked, texts, len({self._shape[number] for number in picked}) > 1)

    def cut(self, shown: Shown, first: int = 0, last: int | None = None) -> list[Batch]:
        """Pieces ``first`` to before ``last`` of a step, each of one shape: what has several shapes is cut further."""
        each = len(shown.picked) // self._pieces
        found: list[Batch] = []
        for piece in range(first, self._pieces if last is None else last):
            rows = range(piece * each, (piece + 1) * each)
            for shape in dict.fromkeys(self._shape[shown.picked[row]] for row in rows):
                found.append(self._batch(shown, [row for row in rows if self._shape[shown.picked[row]] == shape]))
        return found

    def draw(self, rng: torch.Generator) -> Batch:
        """The next step as one batch, where all of its examples have one shape."""
        (batch,) = self.cut(self.show(rng))
        return batch

    def _batch(self, shown: Shown, rows: list[int]) -> Batch:
        numbers, texts = [shown.picked[row] for row in rows], [shown.texts[row] for row in rows]
        shape = self._shape[numbers[0]]
        places, said = self._move([self._place[number] for number in numbers]), self._move(texts)
        own = self._move(numbers)
        framing = {name: state[own] for name, state in self._framing.items()}
        return Batch(
            latents=self._latents[shape][places],
            conditioning={name: state[said] for name, state in self._states.items()} | framing,
            captions=[self._texts[text] for text in texts],
            importance=None if self._importance is None else self._importance[own],
            mask=None if self._masks is None else self._masks[shape][places],
            rows=Rows(rows, len(shown.picked)),
        )

    def _move(self, numbers: list[int]) -> Tensor:
        rows = torch.tensor(numbers)
        return rows if self._device == "cpu" else rows.pin_memory().to(self._device, non_blocking=True)

    def _next(self, count: int) -> list[int]:
        picked: list[int] = []
        while len(picked) < count:
            if self.offset >= len(self._order):
                self.seek(self.epoch + 1, 0)
                continue
            some = self._order[self.offset : self.offset + count - len(picked)]
            picked.extend(some.tolist())
            self.offset += len(some)
        return picked
