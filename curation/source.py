"""The contract of sources: name what is there, and give its bytes when asked. A source never writes anything."""

import re
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from core.block import Block
from core.record import Reason
from curation.patterns import is_pattern
from curation.places import Place


@dataclass(frozen=True, slots=True)
class Found:
    """One file that is meant as a picture; nothing of it has been read yet but what lies beside it."""

    name: str
    """path below the source's root, with forward slashes"""
    uri: str
    """where it is, for people and for the next ingest; of an archive's member ``pictures.zip!/cats/1.png``"""
    size: int
    """bytes; of a row in a parquet file the mean of its part of the file, of a URL 0"""
    mtime_ns: int
    """when it was last changed; with ``uri`` and ``size`` it says whether it has to be read again

    What is below a second may be a checksum instead of time (`places.dated`), and of an archive's member date and
    checksum are its own, not the archive's: of a rebuilt archive only what differs is read again. Of a row in a parquet
    file it is the file's date; of a URL it is 0, so that what was downloaded once stays as it was.
    """
    read: Callable[[], bytes]
    """its bytes; an `OSError` is told as the reason for refusing it, a `Refused` with its own code. Called from other
    threads, mostly in the order in which the source gave the pictures."""
    caption: str = ""
    """what a person wrote beside it"""
    tags: tuple[str, ...] = ()
    weight: float = 1.0
    licence: str = ""
    """as its source says it, in a column or a JSON file beside it"""
    note: str = ""
    """what a person should hear about it though it did not stop anything, such as a caption that is not UTF-8"""


class Refused(OSError):
    """What a source refuses to give, and why: bombs, links, members of an archive that lead outside."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.reason = Reason(code, words)


class Source(Block, family="curation.sources"):
    """Where pictures come from."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The same for the same pictures wherever they stand: part of each record's id."""

    @property
    def waits(self) -> int:
        """How many reads at the same time are worth it, because they wait for a network; 0 for what is at hand."""
        return 0

    @property
    def root(self) -> str:
        """How the uris of its pictures begin, so that another place of the same name can be told from this one.

        Empty: not to be told apart, because a label says that they are one, or because its pictures lie anywhere.
        """
        return ""

    def check(self) -> None:
        """`SourceError` where it is plainly not there, told before anything starts; reads as little as it can."""
        next(iter(self.pictures()), None)

    @abstractmethod
    def pictures(self) -> Iterator[Found]:
        """Everything that is meant as a picture, whether it can be read or not; the same in the same order each time.

        The order is by name, save where another one is far cheaper to read. Raises `SourceError` where the source
        itself is not there or holds nothing.
        """


def failing(error: OSError) -> Callable[[], bytes]:
    """A read that says what went wrong when the picture was looked at."""

    def read() -> bytes:
        raise error

    return read


def of_path(label: str, path: str, *endings: str) -> str:
    """A source's name: its label, or the last part of its path without what makes it a pattern, and without endings."""
    if label:
        return label
    name = Place.of(path).name
    for ending in endings:
        name = name.removesuffix(ending)
    return re.sub(r"[{\[*?].*", "", name).rstrip("-_. ") or Place.of(path).parent.name or "root"


def root_of(label: str, path: str, below: str) -> str:
    """A source's root: its path up to what makes it a pattern, or with ``below`` behind it; empty with a label."""
    if label:
        return ""
    if not is_pattern(path):
        return Place.of(path).uri + below
    fixed = re.split(r"[{\[*?]", path, maxsplit=1)[0] or "./"
    return Place.of(fixed).uri + ("/" if fixed.endswith("/") else "")
