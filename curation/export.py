"""The contract of exports: pictures of the dataset in, a folder that another program reads out."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.block import Block
from core.record import Record
from curation.exported import COLUMNS, Row


@dataclass(frozen=True, slots=True)
class Item:
    """One picture to be written, as an import should find it again."""

    record: Record
    name: str
    """what it is called in the dataset; no other item has it"""
    caption: str
    """one line"""
    tags: tuple[str, ...]
    """the record's, and of a derived picture which real one it was made from"""
    read: Callable[[], bytes]
    """the original bytes"""

    @property
    def side(self) -> str:
        """``train`` or ``held_out``."""
        return self.record.split or "train"

    def row(self) -> Row:
        """What is written of it beside its caption; the keys are `COLUMNS` and ``licence``."""
        record = self.record
        values = (self.name, list(self.tags), record.weight, record.split, record.group, record.source, record.sha256)
        return {**dict(zip(COLUMNS, values, strict=True)), "licence": str(record.drawn.get("licence", ""))}


class Export(Block, family="curation.exports"):
    """A layout. Importing it with the matching source gives the same contents, captions, tags, weights and names."""

    @abstractmethod
    def write(self, items: Sequence[Item], folder: Path, stands: Path) -> list[str]:
        """Write all items into an empty folder; what a person should hear of it, such as what readers will not see.

        ``stands``: where the folder will be when it is whole, for layouts that write down their own place.
        """
