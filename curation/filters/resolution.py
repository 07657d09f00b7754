"""Refuse pictures with too few pixels to learn from. ``shortest`` is the shorter side."""

from pydantic import Field

from core.record import Reason
from curation.filter import Batch, Filter


class Resolution(Filter):
    """At least ``shortest`` pixels on the shorter side: about the resolution that is trained at."""

    shortest: int = Field(default=32, ge=1)

    def judge(self, batch: Batch) -> dict[str, Reason]:
        return {
            r.id: Reason("too_small", f"{r.width}x{r.height} pixels; the shorter side must have {self.shortest}")
            for r in batch.records
            if min(r.width, r.height) < self.shortest
        }
