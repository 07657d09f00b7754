"""The contract of a captioner: records in, one automatic caption for each out."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from core.block import Block, Choice
from core.cache import Cache
from core.caption import Caption
from core.pixels import Read
from core.record import Record


@dataclass(frozen=True, slots=True)
class Review:
    """A picture that a person has captioned: what is right is known of it."""

    record: Record
    said: str
    """the person's words"""
    tags: tuple[str, ...] = ()
    """what the automatic caption had said before"""


@dataclass(frozen=True)
class Batch:
    """Records to caption, and what a captioner may need for it."""

    records: Sequence[Record]
    read: Read
    cache: Cache
    reviews: Sequence[Review] = field(default=())
    """of the whole set, whatever part of it ``records`` is: to learn from, not to caption"""
    base: str = "pocket"
    """for which base: its tokenizer says how long a caption may be"""


class Captioner(Block, family="captioning.captioners"):
    """Writes `Caption.automatic` and `Caption.scores`; the stage adds the key and never shows it a user's caption."""

    @property
    def engine(self) -> str:
        """Key of what writes: parameters, model, vocabulary. Cheap captioners need no more than the fingerprint."""
        return self.fingerprint

    @property
    def clips(self) -> tuple[str, ...]:
        """The CLIPs whose vectors of the pictures it asks for; they are then made beforehand."""
        return ()

    def engines(self, batch: Batch) -> dict[str, str]:
        """For each record of the whole set, the key of the caption that it would get now."""
        return {record.id: self.engine for record in batch.records}

    @abstractmethod
    def captions(self, batch: Batch) -> list[Caption]:
        """One caption per record, in order; the same whatever else is in the batch."""


class Part(Choice):
    """A captioner within a captioner. Its schema names the kinds only: it would contain itself for ever."""

    def __init__(self) -> None:
        super().__init__(Captioner)

    def __get_pydantic_json_schema__(self, schema: object, handler: object) -> dict[str, Any]:
        kinds = self.family.kinds()
        kind = {"properties": {"kind": {"enum": kinds}}, "required": ["kind"], "type": "object"}
        return {"title": "Captioner", "anyOf": [{"enum": kinds, "type": "string"}, kind]}
