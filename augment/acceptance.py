"""Which of the pictures that a model drew may be trained on: near enough to the parent, not a copy, still what it says.

All is judged from what is stored, anew each time, so that other limits draw no picture again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from backbones.embedding import Embedder
from core.pixels import Pixels, Read
from core.record import Reason, Record

Vector = NDArray[np.float32]
"""of unit length"""

PREFIX = "made_"
"""of the codes of these reasons: they are found anew each time"""
FEW = 8
"""groups of real pictures: with fewer, the distances between them say too little, and `USUAL` stands in"""
USUAL = (0.5, 0.95)
APART = "apart"
"""the score that says how far a picture's thumbnail is from its parent's"""


class Inspector(Protocol):
    """How real pictures are looked at. `flows` makes it of the recipe's filters, which no stage but curation knows."""

    def measure(self, made: Pixels, parent: Pixels) -> dict[str, float]:
        """Scores that are kept with the picture; `APART` is among them."""

    def judge(self, records: Sequence[Record]) -> Mapping[str, Reason]:
        """Record id -> why a real picture with these scores would be refused."""


class Acceptance(BaseModel):
    """What a model drew is kept only where CLIP finds it like its parent, but not too like it, and where it still shows
    what the caption says. How like is learned from the real pictures: as like as one of them is to its nearest
    neighbour of another group. Refused ones stay in the store with the reason.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    clip: str = "pocket"
    """which CLIP compares: `pocket`, `local-dir:FOLDER` or `MODEL:FILE`"""
    quantiles: tuple[float, float] = (0.05, 0.95)
    """between which quantiles of the similarities of real neighbours a picture and its parent must lie"""
    lowest: float | None = Field(default=None, ge=-1, le=1)
    """similarity to the parent below which a picture has drifted; empty: the lower quantile"""
    highest: float | None = Field(default=None, ge=-1, le=1)
    """similarity to the parent above which it is a copy; empty: the upper quantile"""
    apart: float = Field(default=0.08, ge=0, le=1)
    """what the thumbnails must differ by: share of the contrast, as in the filter `near_duplicate`"""
    caption_margin: float = Field(default=0.05, ge=0, le=2)
    """by how much less than its parent it may fit the caption"""

    def model_post_init(self, _: object) -> None:
        """Refuse limits between which nothing lies."""
        if not 0 <= self.quantiles[0] < self.quantiles[1] <= 1:
            raise ValueError(f"quantiles: two shares with 0 <= low < high <= 1, not {self.quantiles}")
        if self.lowest is not None and self.highest is not None and self.lowest >= self.highest:
            raise ValueError(f"lowest must be below highest, not {self.lowest} and {self.highest}")

    def band(self, real: Mapping[str, Vector], groups: Mapping[str, str]) -> tuple[float, float]:
        """The similarities between which a picture and its parent must lie."""
        near = neighbours(real, groups)
        low, high = USUAL if len(near) < FEW else np.quantile(near, self.quantiles).tolist()
        low = low if self.lowest is None else self.lowest
        high = high if self.highest is None else self.highest
        return low, max(low, high)


def neighbours(real: Mapping[str, Vector], groups: Mapping[str, str]) -> list[float]:
    """For each group how like its most alike picture is to a picture of another group."""
    if len(set(groups.values())) < 2:
        return []
    names = np.array([groups[record] for record in real])
    vectors = np.stack(list(real.values()))
    best: dict[str, float] = {}
    for start in range(0, len(vectors), 1024):
        alike = vectors[start : start + 1024] @ vectors.T
        alike[names[start : start + 1024, None] == names[None]] = -np.inf
        for name, value in zip(names[start : start + 1024], alike.max(1).tolist(), strict=True):
            best[name] = max(best.get(name, -1.0), value)
    return list(best.values())


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture that a model drew, beside the real one that it comes from."""

    record: Record
    parent: Record
    """the real one; where a transform stands between them, not its direct parent: no drift adds up"""
    caption: str
    resembles: bool
    """whether it has to show what its parent shows"""


def judged(
    candidates: Sequence[Candidate],
    real: Sequence[Record],
    acceptance: Acceptance,
    eyes: Embedder,
    read: Read,
    inspector: Inspector | None,
) -> dict[str, tuple[Reason, ...]]:
    """Record id -> why it is not trained on. ``real``: the kept pictures whose distances say what is usual."""
    refused: dict[str, list[Reason]] = {one.record.id: [] for one in candidates}
    alike = [one for one in candidates if one.resembles]
    if alike:
        seen = [*real, *(one.record for one in alike)]
        pictures = dict(zip((record.id for record in seen), eyes.pictures(seen, read), strict=True))
        said = sorted({one.caption for one in alike})
        texts = dict(zip(said, eyes.texts(said), strict=True))
        band = acceptance.band({r.id: pictures[r.id] for r in real}, {r.id: r.group for r in real})
        for one in alike:
            refused[one.record.id] += compared(one, pictures, texts[one.caption], band, acceptance)
    if inspector is not None:
        for record, reason in inspector.judge([one.record for one in candidates]).items():
            refused[record].append(Reason(f"{PREFIX}{reason.code}", reason.words))
    return {record: tuple(reasons) for record, reasons in refused.items()}


def compared(
    one: Candidate, pictures: Mapping[str, Vector], text: Vector, band: tuple[float, float], acceptance: Acceptance
) -> list[Reason]:
    """What is wrong with a picture beside its parent."""
    found = []
    made, parent = pictures[one.record.id], pictures[one.parent.id]
    like, apart = float(made @ parent), one.record.quality.get(APART, 1.0)
    if like < band[0]:
        found.append(Reason("made_drifted", f"likeness to its parent {like:.2f}; at least {band[0]:.2f} is wanted"))
    if like > band[1]:
        found.append(Reason("made_too_close", f"likeness to its parent {like:.2f}; at most {band[1]:.2f} is wanted"))
    if apart <= acceptance.apart:
        words = f"{apart:.3f} apart from its parent; more than {acceptance.apart:g} is wanted"
        found.append(Reason("made_near_duplicate", words))
    if one.caption and (lost := float(parent @ text - made @ text)) > acceptance.caption_margin:
        words = f"fits its caption {lost:.2f} less than its parent; at most {acceptance.caption_margin:g} is allowed"
        found.append(Reason("made_off_caption", words))
    return found
