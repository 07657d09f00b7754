"""One network that is looked at: the base with something on it, and how to put that there and take it off again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.hashing import digest
from core.pixels import Pixels

if TYPE_CHECKING:
    from backbones.backbone import Backbone

Putting = Callable[["Backbone"], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is put on the base. Equal keys make equal pictures and figures, so that none is made twice."""

    name: str
    """for people, such as ``strength 0.6``"""
    key: str
    """follows from the bytes of all files and all settings; empty for the base"""
    on: Putting
    """within it the base is tuned; afterwards it is as it was"""
    at: Callable[[Backbone, float], AbstractContextManager[None]] | None = None
    """the same at another strength, where it has one"""
    draw: Callable[[Backbone, str, int], Pixels] | None = None
    """one picture of a prompt and a seed, where it is drawn otherwise than by the base's own sampler"""
    use: str = ""
    """how to have the same outside of here: a command, or words; empty where the name says it"""


def base() -> Candidate:
    """The base as it is."""
    return Candidate("base", "", lambda _: nullcontext())


def from_file(file: Path, *, strength: float = 1.0, name: str = "", use: str = "") -> Candidate:
    """Any adapter or checkpoint that `Backbone.apply_adapter` reads."""
    from backbones.adapter_files import hash_of

    return Candidate(
        name or file.stem,
        digest("file", hash_of(file), float(strength)),
        lambda backbone: applied(backbone, file, strength),
        lambda backbone, times: applied(backbone, file, strength * times),
        use=use,
    )


@contextmanager
def applied(backbone: Backbone, file: Path, strength: float) -> Iterator[None]:
    """Within it the file is on the base."""
    backbone.apply_adapter(file, strength)
    try:
        yield
    finally:
        backbone.remove_adapter()
