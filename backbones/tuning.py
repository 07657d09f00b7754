"""What makes a loaded base answer otherwise and can be switched off or taken away: every adapter is made of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn


class Tuning(ABC):
    """Something that sits on a backbone; `Backbone.untuned` switches it off."""

    words = False
    """whether the text encoder speaks otherwise, so that cached text states no longer hold"""

    @contextmanager
    def off(self) -> Iterator[None]:
        """Within it the base answers as it was."""
        self.switch(on=False)
        try:
            yield
        finally:
            self.switch(on=True)

    @abstractmethod
    def switch(self, *, on: bool) -> None:
        """Let it work, or not."""

    @abstractmethod
    def remove(self) -> None:
        """Leave the base as it was before, for good."""


class Exchanged(Tuning):
    """Other values in some of the base's own parameters. Switching moves no data; removing gives the same bits back."""

    def __init__(self, values: Mapping[nn.Parameter, Tensor], *, words: bool = False) -> None:
        self.words = words
        self._parameters = list(values)
        self._others = list(values.values())
        self._on = False
        self.switch(on=True)

    def switch(self, *, on: bool) -> None:
        if on is self._on:
            return
        for number, parameter in enumerate(self._parameters):
            parameter.data, self._others[number] = self._others[number], parameter.data
        self._on = on

    def remove(self) -> None:
        self.switch(on=False)
        self._others.clear()
        self._parameters.clear()


def between(base: Tensor, tuned: Tensor, strength: float) -> Tensor:
    """The base's value at strength 0, the tuned one at 1, and further at more; where and of what type the base's is."""
    tuned = tuned.to(base.device)
    if strength != 1.0:
        tuned = base.float() + strength * (tuned.float() - base.float())
    return tuned.to(base.dtype)
