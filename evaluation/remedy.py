"""A remedy changes how a trained adapter is used, without training again; what it makes is measured like the rest."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from core.block import Block
from core.pixels import Pixels
from evaluation.candidate import Candidate

if TYPE_CHECKING:
    from backbones.backbone import Backbone


@dataclass(frozen=True, slots=True)
class Patient:
    """The adapter that is to be helped."""

    file: Path
    step: int = 0
    checkpoints: Mapping[int, Path] = field(default_factory=dict)
    """weights of the run's checkpoints, by step"""
    guides: Sequence[Pixels] = ()
    """real pictures whose edges can guide what is drawn"""

    @property
    def learned_words(self) -> bool:
        """Whether it is an embedding: vectors of a word, without a strength and without blocks."""
        from backbones.words import word_of

        return self.file.exists() and bool(word_of(self.file))

    @property
    def hypernetwork(self) -> bool:
        """Whether it is a hypernetwork: it has a strength, and no blocks."""
        return self.file.suffix == ".pt"


class Remedy(Block, family="evaluation.remedies"):
    """One way to help."""

    @abstractmethod
    def candidates(self, patient: Patient, backbone: Backbone) -> list[Candidate]:
        """The networks to try, mildest first; none where it cannot help this one."""
