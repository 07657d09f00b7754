"""How many things go through a network at once: on a CPU one, so that its bits do not depend on its companions."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def pieces(items: Sequence[T], device: str, at_once: int) -> Iterator[Sequence[T]]:
    """Slices of ``items``: single ones on a CPU, ``at_once`` on an accelerator.

    Matrix products of another batch size round differently. What is cached must be the same whether it was made in
    one go or after a crash in two, so on a CPU each item goes alone; on an accelerator the last bits may differ.
    """
    size = 1 if device == "cpu" else at_once
    for start in range(0, len(items), size):
        yield items[start : start + size]
