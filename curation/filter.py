"""The contract of filters: measure a picture once, judge by the scores as often as thresholds change."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from core.block import Block
from core.cache import Cache
from core.pixels import Read
from core.record import Reason, Record
from curation.view import View


@dataclass(frozen=True, slots=True)
class Batch:
    """The pictures to judge, and how to get at more than their scores, for filters that need a model or thumbnails."""

    records: Sequence[Record]
    read: Read
    cache: Cache
    """the store's embeddings"""


class Filter(Block, family="curation.filters"):
    """Says which pictures are not wanted, and why. Thresholds are fields; what is measured does not depend on them."""

    whole: ClassVar[bool] = False
    """True: it compares pictures with each other, so it judges last, and only what all others would keep."""

    @property
    def scores(self) -> tuple[str, ...]:
        """The names of what `measure` returns. A name says all that its value depends on: another method or another
        parameter of measuring is another name, and pictures that lack it are measured again.
        """
        return ()

    def measure(self, view: View) -> dict[str, float]:  # noqa: ARG002  kinds need it
        """The scores of one picture, kept in its record; called in a worker process."""
        return {}

    @property
    def clips(self) -> tuple[str, ...]:
        """The CLIPs whose vectors of pictures it asks for, so that a run can make them beforehand."""
        return ()

    def score(self, batch: Batch) -> dict[str, dict[str, float]]:  # noqa: ARG002  kinds need it
        """Record id -> scores that need a model or the other pictures. They are kept in the records too, and made
        anew each time, out of the cache; `judge` sees them.
        """
        return {}

    @abstractmethod
    def judge(self, batch: Batch) -> dict[str, Reason]:
        """Record id -> why it is refused; those that are not named stay."""
