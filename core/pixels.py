"""One picture in memory, as every stage passes it on, and how a stage gets at a record's picture."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.record import Record

Pixels = NDArray[np.uint8]
"""(height, width, 3) sRGB, 0 to 255, upright, without alpha: what `curation.decode` makes of any file."""

Read = Callable[[Record], Pixels]
"""Gives a record's picture. `flows` composes it from the store and the decoder, so that no stage needs either."""


@runtime_checkable
class ReadsSeveral(Protocol):
    """A `Read` that is quicker where it knows of several records at once."""

    def several(self, records: Sequence[Record]) -> Iterator[Pixels]:
        """Their pictures, in order, each decoded when it is taken."""


def pictures_of(read: Read, records: Sequence[Record]) -> Iterator[Pixels]:
    """The pictures of some records, in order; fetched together where ``read`` can."""
    return read.several(records) if isinstance(read, ReadsSeveral) else map(read, records)
