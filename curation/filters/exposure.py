"""Refuse pictures that are black or white nearly everywhere. A drawing on a white ground is neither."""

from pydantic import Field

from core.record import Reason
from curation.filter import Batch, Filter
from curation.view import View


class Exposure(Filter):
    """Of 0 (black) to 1 (white): the brightest part must reach ``brightest``, the darkest go down to ``darkest``.

    "Part" is half a percent of the pixels.
    """

    brightest: float = Field(default=0.2, ge=0, le=1)
    darkest: float = Field(default=0.9, ge=0, le=1)

    @property
    def scores(self) -> tuple[str, ...]:
        return ("darkest", "brightest")

    def measure(self, view: View) -> dict[str, float]:
        low, high = view.range
        return {"darkest": low / 255, "brightest": high / 255}

    def judge(self, batch: Batch) -> dict[str, Reason]:
        refused = {}
        for r in batch.records:
            if (high := r.quality["brightest"]) < self.brightest:
                refused[r.id] = Reason("too_dark", f"its brightest part has {high:.2f}; {self.brightest:g} is wanted")
            elif (low := r.quality["darkest"]) > self.darkest:
                refused[r.id] = Reason("too_bright", f"its darkest part has {low:.2f}; {self.darkest:g} is wanted")
        return refused
