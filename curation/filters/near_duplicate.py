"""Keep one of each set of (nearly) equal pictures; which one is a rule."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from core.marks import never_held_out
from core.record import Reason, Record
from curation.duplicates import MOST_BITS, Alike, check_clip_is_used, near_duplicates, shadowed
from curation.filter import Batch, Filter
from curation.filters.sharpness import sharpness
from curation.view import SMALL, View, shorter_side


class NearDuplicate(Filter):
    """Refuse what is the same file as another, or looks like one that is kept, saved or scaled anew.

    ``difference`` is what thumbnails may differ by. Of 739 emoji, saving as JPEG of quality 30 makes at most 0.060 and
    scaling to half 0.068; the nearest two that are not drawn alike differ by 0.094. A mirrored picture says something
    else (an arrow), so it stays unless ``mirrored``; in the split it belongs to the same group all the same.
    """

    radius: int = Field(default=6, ge=0, le=MOST_BITS)
    """bits in which hashes may differ; what is nearer is compared"""
    difference: float = Field(default=0.08, ge=0, le=1)
    """what thumbnails may differ by"""
    mirrored: bool = False
    """whether a mirror image is a duplicate as well"""
    embedding: float | None = Field(default=None, gt=0, le=1)
    """if given, also what a CLIP finds this alike (a cosine): crops, other colours, another moment; see `clip`"""
    clip: str = "pocket"
    """which CLIP `embedding` asks: `pocket`, `local-dir:FOLDER`, or `MODEL:FILE` for any of open_clip's models"""
    keep: Literal["largest", "sharpest", "newest", "best_captioned"] = "largest"
    """which one of a set stays: by pixels, by the detail that is there, by the file's date, by the words beside it"""

    whole: ClassVar[bool] = True

    @model_validator(mode="after")
    def _clip_is_used(self) -> Self:
        check_clip_is_used(self.embedding, self.clip)
        return self

    @property
    def clips(self) -> tuple[str, ...]:
        return () if self.embedding is None else (self.clip,)

    @property
    def scores(self) -> tuple[str, ...]:
        return ("sharpness",) if self.keep == "sharpest" else ()

    def measure(self, view: View) -> dict[str, float]:
        return {"sharpness": sharpness(view)} if self.keep == "sharpest" else {}

    def judge(self, batch: Batch) -> dict[str, Reason]:
        refused: dict[str, Reason] = {}
        best: dict[str, Record] = {}
        for record in (batch.records[at] for at in ranked(batch.records, self.keep)):
            same = best.setdefault(record.sha256, record)
            if same is not record:
                refused[record.id] = Reason("duplicate", f"the same file as {same.name} ({same.id})")
        records = list(best.values())  # still the one to keep first
        alike = Alike(self.radius, self.difference, self.mirrored, self.embedding, self.clip)
        pairs = near_duplicates(records, alike, batch.read, batch.cache)
        for at, kept in shadowed(range(len(records)), pairs).items():
            words = f"nearly the same as {records[kept].name} ({records[kept].id}), which is kept ({self.keep})"
            refused[records[at].id] = Reason("near_duplicate", words)
        return refused


def ranked(records: Sequence[Record], keep: str) -> list[int]:
    """Positions, the one to keep first; what is equal by the rule goes by size, then by name.

    By the name without its ending: "cat.png" stays before "cat-copy.png" and "cat (1).png".

    Regularisation and derived pictures come last whatever the rule, so that none takes a training picture's place.
    """

    def rank(at: int) -> tuple[float | str, ...]:
        r = records[at]
        rule = {
            "largest": r.width * r.height,
            "sharpest": detail(r),
            "newest": r.mtime_ns,
            "best_captioned": r.quality.get("caption_words", 0.0),
        }[keep]
        return (
            never_held_out(r.tags),
            -rule,
            -r.width * r.height,
            -r.size,
            r.source,
            PurePath(r.name).stem,
            r.name,
            r.id,
        )

    return sorted(range(len(records)), key=rank)


def detail(record: Record) -> float:
    """How many pixels of sharp edges lie side by side across the picture: what was enlarged has no more than before.

    Sharpness was measured on a reduced copy, where a small picture's edges are as steep as a large one's.
    """
    there = record.quality.get("sharpness", 0.0) * shorter_side(min(record.width, record.height))
    return min(float(SMALL), there)
