"""Turn next-token logits into texts: greedy, top-k and beam search, the same for a picture alone and in a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor


class Speaker(Protocol):
    """A network that says what may come next."""

    def next(self, ids: Tensor) -> Tensor:
        """Logits (n, words) after one more token (n, 1) of each text; keeps what it has read."""

    def select(self, rows: Tensor) -> None:
        """Go on with these of the texts, in this order; one may be named twice."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Where texts begin and end."""

    start: int
    end: int
    never: tuple[int, ...]
    """tokens that no text has: padding, the start"""
    least: int
    """tokens before a text may end"""
    most: int
    """tokens after which it must"""


def greedy(speaker: Speaker, count: int, limits: Limits) -> list[list[int]]:
    """The likeliest token each time."""
    return _one_by_one(speaker, count, limits, lambda logits, _: int(logits.argmax()))


def top_k(
    speaker: Speaker, limits: Limits, rngs: Sequence[np.random.Generator], k: int, temperature: float
) -> list[list[int]]:
    """Drawn from the ``k`` likeliest; every text has its own random numbers, so that it does not mind its company."""

    def draw(logits: Tensor, at: int) -> int:
        best = torch.topk(logits.double() / temperature, min(k, len(logits)))
        shares = torch.softmax(best.values, 0).cumsum(0).numpy()
        place = min(int(np.searchsorted(shares, rngs[at].random() * shares[-1], side="right")), len(shares) - 1)
        return int(best.indices[place])

    return _one_by_one(speaker, len(rngs), limits, draw)


def _one_by_one(speaker: Speaker, count: int, limits: Limits, choose: object) -> list[list[int]]:
    assert callable(choose)
    texts: list[list[int]] = [[] for _ in range(count)]
    done = [False] * count
    ids = torch.full((count, 1), limits.start)
    for step in range(limits.most):
        logits = _allowed(speaker.next(ids), limits, step)
        for at in range(count):
            chosen = limits.end if done[at] else choose(logits[at], at)
            done[at] = done[at] or chosen == limits.end
            ids[at, 0] = chosen
            if not done[at]:
                texts[at].append(chosen)
        if all(done):
            break
    return texts


def beam(speaker: Speaker, count: int, limits: Limits, width: int) -> list[list[int]]:
    """Of ``width`` texts that are followed at once the one whose tokens are likeliest on the average."""
    texts: list[list[list[int]]] = [[[] for _ in range(width)] for _ in range(count)]
    worth = torch.full((count, width), float("-inf"))
    worth[:, 0] = 0  # all begin alike: only one of them counts
    ended: list[list[tuple[float, list[int]]]] = [[] for _ in range(count)]
    ids = torch.full((count, 1), limits.start)
    for step in range(limits.most):
        said = torch.log_softmax(_allowed(speaker.next(ids), limits, step).double(), -1)
        if step == 0:
            said = said.repeat_interleave(width, 0)
        total = worth[:, :, None] + said.reshape(count, width, -1)
        best = torch.topk(total.reshape(count, -1), 2 * width)
        rows, ids = [], torch.full((count * width, 1), limits.end)
        for at in range(count):
            grown: list[list[int]] = []
            words = total.shape[-1]
            for value, place in zip(best.values[at].tolist(), best.indices[at].tolist(), strict=True):
                before, token = texts[at][place // words], place % words
                if token == limits.end:
                    ended[at].append((value / (len(before) + 1), before))
                elif len(grown) < width:
                    worth[at, len(grown)], ids[at * width + len(grown), 0] = value, token
                    rows.append(at if step == 0 else at * width + place // words)
                    grown.append([*before, token])
            texts[at] = grown
            ended[at] = sorted(ended[at], key=lambda one: -one[0])[:width]
        speaker.select(torch.tensor(rows))
        if all(len(e) == width and e[-1][0] >= float(w.max()) / (step + 2) for e, w in zip(ended, worth, strict=True)):
            break
    return [_best(ended[at], texts[at], worth[at], limits.most) for at in range(count)]


def _best(ended: list[tuple[float, list[int]]], texts: list[list[int]], worth: Tensor, most: int) -> list[int]:
    open_ones = [(value / most, text) for value, text in zip(worth.tolist(), texts, strict=True)]
    return max([*ended, *([] if ended else open_ones)], key=lambda one: one[0])[1]


def _allowed(logits: Tensor, limits: Limits, step: int) -> Tensor:
    logits = logits.float().cpu().clone()
    logits[:, list(limits.never)] = float("-inf")
    if step < limits.least:
        logits[:, limits.end] = float("-inf")
    return logits
