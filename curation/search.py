"""Pictures by words or by another picture: the records whose vectors are nearest to the query's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.record import Record, Split, Verdict
from curation.embeddings import Vectors, nearest_to


@dataclass(frozen=True, slots=True)
class Hit:
    """One picture that was found."""

    record: Record
    cosine: float
    """with the query; of words and a picture 0.2 to 0.4 is usual with large CLIPs, so compare it within a search"""


def searchable(
    records: Sequence[Record], verdict: Verdict | None = "kept", split: Split | None = None, *, derived: bool = False
) -> list[Record]:
    """The pictures to look through: those that were decoded, of one verdict and one side where one is named."""
    return [
        record
        for record in records
        if record.width
        and (derived or record.depth == 0)
        and verdict in (None, record.verdict)
        and split in (None, record.split)
    ]


def search(query: NDArray[np.float32], records: Sequence[Record], vectors: Vectors, count: int) -> list[Hit]:
    """The ``count`` records that are nearest to the query, the nearest first; each picture once, whoever else has it.

    ``vectors`` are the records', in order, and like ``query`` of unit length.
    """
    first: dict[str, int] = {}
    for at, record in enumerate(records):
        first.setdefault(record.sha256, at)
    places = list(first.values())
    found = nearest_to(query, vectors[places] if len(places) < len(records) else vectors, count)
    return [Hit(records[places[at]], cosine) for at, cosine in found]
