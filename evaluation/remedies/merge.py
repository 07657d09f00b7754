"""Merge it with the base, block by block, or with another adapter: part of what it added is taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from core.hashing import digest
from evaluation.candidate import Candidate
from evaluation.remedy import Patient, Remedy

if TYPE_CHECKING:
    from backbones.backbone import Backbone

PARTS = ("down_blocks", "mid_block", "up_blocks", "text_encoder")


class Merge(Remedy):
    """Outer blocks hold colours and strokes, inner ones what is where; which of them hold copies differs by run.

    Learned words and hypernetworks have no blocks and are left alone.
    """

    weights: tuple[Mapping[str, float], ...] = Field(
        ({"down_blocks": 0.5}, {"mid_block": 0.5}, {"up_blocks": 0.5}), min_length=1
    )
    """each a merge to try: how much of the adapter is kept in ``down_blocks``, ``mid_block``, ``up_blocks``,
    ``text_encoder``; parts that are not named stay whole"""
    other: str = ""
    """another adapter or checkpoint to mix in"""
    share: float = Field(0.5, gt=0, le=1)
    """of the other one, in all blocks; this one gets the rest"""

    def model_post_init(self, _: object) -> None:
        """Refuse parts that no network has."""
        unknown = sorted({part for one in self.weights for part in one} - set(PARTS))
        if unknown:
            raise ValueError(f"weights: there is no part {', '.join(unknown)}; known: {', '.join(PARTS)}")

    def candidates(self, patient: Patient, backbone: Backbone) -> list[Candidate]:  # noqa: ARG002
        if patient.learned_words or patient.hypernetwork:
            return []
        if self.other:
            other, rest = Path(self.other).expanduser(), 1 - self.share
            mixed = [(patient.file, dict.fromkeys((*PARTS, "rest"), rest)), (other, dict.fromkeys(PARTS, self.share))]
            return [_candidate(f"{rest:.0%} of it, {self.share:.0%} of {other.stem}", mixed)]
        return [
            _candidate(
                ", ".join(f"{part.replace('_', ' ')} at {weight:g}" for part, weight in kept.items()),
                [(patient.file, kept)],
            )
            for kept in self.weights
        ]


def _candidate(name: str, mixed: Sequence[tuple[Path, Mapping[str, float]]]) -> Candidate:
    from backbones.adapter_files import hash_of
    from backbones.merging import merged

    @contextmanager
    def on(backbone: Backbone) -> Iterator[None]:
        with backbone.tuned_by(merged(backbone, mixed)):
            yield

    return Candidate(name, digest("merge", [(hash_of(file), dict(kept)) for file, kept in mixed]), on)
