"""Refuse banners and strips, of which a centre crop shows next to nothing."""

from pydantic import Field

from core.record import Reason
from curation.filter import Batch, Filter


class Aspect(Filter):
    """The longer side is at most ``longest`` times the shorter one."""

    longest: float = Field(default=3.0, ge=1)

    def judge(self, batch: Batch) -> dict[str, Reason]:
        return {
            r.id: Reason("odd_aspect", f"{r.width}x{r.height} pixels; one side may be {self.longest:g} times the other")
            for r in batch.records
            if max(r.width, r.height) > self.longest * min(r.width, r.height)
        }
