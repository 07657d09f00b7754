"""A handle to one immutable state of a dataset: what stages pass to each other and what runs are labelled with."""

from collections.abc import Iterable
from dataclasses import dataclass

from core.caption import Caption
from core.hashing import digest_of_lines, sha256_of
from core.marks import is_mark
from core.record import Record


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where a dataset stands and exactly which state of it is meant."""

    store: str
    """URI of the store"""
    tag: str
    """the tag that each table of the store carries"""
    count: int
    """kept records, derived ones included"""
    held_out: int
    """how many of them are held out"""
    manifest: str
    """SHA-256 over the sorted (id, content hash, caption, split, any weight, use, ground): the same for equal data"""


def manifest_of(records: Iterable[Record], captions: dict[str, Caption]) -> str:
    """The manifest hash of the kept records: hex SHA-256 over their sorted lines."""
    lines = sorted(
        f"{r.id}|{r.sha256}|{sha256_of((captions[r.id].text if r.id in captions else '').encode())}|{r.split}{_use(r)}"
        for r in records
        if r.verdict == "kept"
    )
    return digest_of_lines(lines)


def _use(record: Record) -> str:
    """How often it is drawn, what for and on which ground if that is not white; empty for an ordinary picture."""
    marks = sorted(tag for tag in record.tags if is_mark(tag))
    marks += [f"matte={colour}" for colour in record.ground]
    return f"|{record.weight!r}|{'|'.join(marks)}" if marks or record.weight != 1 else ""
