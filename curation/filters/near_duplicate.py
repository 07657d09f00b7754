"""Keep one of each set of (nearly) equal pictures; which one is a rule."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from core.record import Reason, Record
from curation.duplicates import MOST_BITS, Alike, near_duplicates, shadowed
from curation.filter import Batch, Filter


class NearDuplicate(Filter):
    """Refuse what is the same file as another, or looks like one that is kept, saved or scaled anew.

    ``difference`` is what thumbnails may differ by. Of 739 emoji, saving as JPEG of quality 30 makes at most 0.060 and
    scaling to half 0.068; the nearest two that are not drawn alike differ by 0.094. A mirrored picture says something
    else (an arrow), so it stays unless ``mirrored``; in the split it belongs to the same group all the same.
    """

    radius: int = Field(default=6, ge=0, le=MOST_BITS)
    difference: float = Field(default=0.08, ge=0, le=1)
    mirrored: bool = False
    keep: Literal["largest", "sharpest", "newest", "best_captioned"] = "largest"

    whole: ClassVar[bool] = True

    def judge(self, batch: Batch) -> dict[str, Reason]:
        refused: dict[str, Reason] = {}
        best: dict[str, Record] = {}
        for record in (batch.records[at] for at in ranked(batch.records, self.keep)):
            same = best.setdefault(record.sha256, record)
            if same is not record:
                refused[record.id] = Reason("duplicate", f"the same file as {same.name}")
        records = list(best.values())  # still the one to keep first
        alike = Alike(self.radius, self.difference, self.mirrored)
        pairs = near_duplicates(records, alike, batch.read, batch.cache)
        for at, kept in shadowed(range(len(records)), pairs).items():
            words = f"nearly the same as {records[kept].name}, which is kept ({self.keep})"
            refused[records[at].id] = Reason("near_duplicate", words)
        return refused


def ranked(records: Sequence[Record], keep: str) -> list[int]:
    """Positions, the one to keep first; what is equal by the rule goes by size, then by name."""

    def rank(at: int) -> tuple[float | str, ...]:
        r = records[at]
        rule = {
            "largest": r.width * r.height,
            "sharpest": r.quality.get("sharpness", 0.0),
            "newest": r.mtime_ns,
            "best_captioned": r.quality.get("caption_words", 0.0),
        }[keep]
        return (-rule, -r.width * r.height, -r.size, r.source, r.name, r.id)

    return sorted(range(len(records)), key=rank)
