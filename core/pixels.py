"""One picture in memory, as every stage passes it on, and how a stage gets at a record's picture."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.record import Record

Pixels = NDArray[np.uint8]
"""(height, width, 3) sRGB, 0 to 255, upright, without alpha: what `curation.decode` makes of any file."""

Read = Callable[[Record], Pixels]
"""Gives a record's picture. `flows` composes it from the store and the decoder, so that no stage needs either."""
