"""What a model drew is looked at like a real picture: by the recipe's filters, and by how far it is from its parent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from augment.acceptance import APART
from core.cache import Cache
from core.pixels import Pixels, Read
from core.record import Reason, Record
from curation.curate import judged
from curation.duplicates import LOOK
from curation.filter import Batch, Filter
from curation.view import View

OF_SIZE = ("resolution", "aspect")
"""filters that judge a size: what a model draws has the model's own, and training scales it anyway"""


@dataclass(frozen=True, slots=True)
class Quality:
    """An `augment.acceptance.Inspector` of some filters; those that compare pictures with each other are left out."""

    filters: Sequence[Filter]
    read: Read
    cache: Cache
    """the store's embeddings"""

    @classmethod
    def of(cls, filters: Sequence[Filter], read: Read, cache: Cache) -> "Quality":
        """Of a recipe's filters, those that look at one picture's quality."""
        return cls([one for one in filters if not one.whole and one.kind not in OF_SIZE], read, cache)

    def measure(self, made: Pixels, parent: Pixels) -> dict[str, float]:
        """The filters' scores, and how far the thumbnails are apart."""
        view = View(made)
        scores: dict[str, float] = {}
        for one in self.filters:
            scores |= one.measure(view)
        return {name: float(value) for name, value in scores.items()} | {APART: apart(view, View(parent))}

    def judge(self, records: Sequence[Record]) -> Mapping[str, Reason]:
        """Record id -> the first reason; what was made before a filter was asked for is measured here."""
        measured = [self._measured(record) for record in records]
        reasons, _ = judged(Batch(measured, self.read, self.cache), self.filters)
        return {record: found[0] for record, found in reasons.items() if found}

    def _measured(self, record: Record) -> Record:
        if all(record.quality.keys() >= set(one.scores) for one in self.filters):
            return record
        pixels = self.read(record)
        return replace(record, quality={**record.quality, **self.measure(pixels, pixels)})


def apart(first: View, second: View) -> float:
    """Share of the thumbnails' contrast that no change of brightness and contrast explains, as `near_duplicate` has it.

    Two flat pictures are not apart.
    """
    a, b = _look(first), _look(second)
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    if lengths < 1e-6:
        return float(np.linalg.norm(a - b) > 1e-6)
    agreement = max(0.0, float((a * b).sum()) / lengths)
    return float(np.sqrt(max(0.0, 1 - agreement**2)))


def _look(view: View) -> NDArray[np.float32]:
    seen = view.thumbnail.astype(np.float32) @ LOOK
    look: NDArray[np.float32] = seen - seen.mean(axis=(0, 1), keepdims=True)
    return look
