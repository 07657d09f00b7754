"""The contract of sources: name what is there, and give its bytes when asked. A source never writes anything."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from core.block import Block


@dataclass(frozen=True, slots=True)
class Found:
    """One file that is meant as a picture; nothing of it has been read yet but what lies beside it."""

    name: str
    """path below the source's root, with forward slashes"""
    uri: str
    """where it is, for people and for the next ingest"""
    size: int
    """bytes"""
    mtime_ns: int
    """when it was last changed; with ``uri`` and ``size`` it says whether it has to be read again"""
    read: Callable[[], bytes]
    """its bytes; an `OSError` is told as the reason for refusing it. Called from another thread."""
    caption: str = ""
    """what a person wrote beside it"""
    tags: tuple[str, ...] = ()
    weight: float = 1.0
    note: str = ""
    """what a person should hear about it though it did not stop anything, such as a caption that is not UTF-8"""


class Source(Block, family="curation.sources"):
    """Where pictures come from."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The same for the same pictures wherever they stand: part of each record's id."""

    @abstractmethod
    def pictures(self) -> Iterator[Found]:
        """Everything that is meant as a picture, sorted by name, whether it can be read or not.

        Raises `SourceError` where the source itself is not there or holds nothing.
        """
