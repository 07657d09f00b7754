"""The contract of a captioner: records in, one automatic caption for each out."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.block import Block
from core.cache import Cache
from core.caption import Caption
from core.pixels import Read
from core.record import Record


@dataclass(frozen=True)
class Batch:
    """Records to caption, and what a captioner may need for it."""

    records: Sequence[Record]
    read: Read
    cache: Cache
    sidecars: Mapping[str, str] = field(default_factory=dict)
    """what a person says, by record id; it wins over whatever is written here"""


class Captioner(Block, family="captioning.captioners"):
    """Writes `Caption.automatic` and `Caption.scores`; the stage adds the key and never shows it a user's caption."""

    @property
    def engine(self) -> str:
        """Key of what writes: parameters, model, vocabulary. Cheap captioners need no more than the fingerprint."""
        return self.fingerprint

    def engines(self, batch: Batch) -> dict[str, str]:
        """For each record of the whole set, the key of the caption that it would get now."""
        return {record.id: self.engine for record in batch.records}

    @abstractmethod
    def captions(self, batch: Batch) -> list[Caption]:
        """One caption per record, in order; the same whatever else is in the batch."""
