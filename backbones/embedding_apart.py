"""CLIP vectors of pictures made beforehand by an engine, and put into the cache here."""

from collections.abc import Sequence
from dataclasses import dataclass
from socket import gethostname

from backbones.embedding import LABEL, Embedder
from core.cache import Array, Cache, Memory
from core.engine import Engine, cut
from core.errors import MissingBase
from core.pixels import Read
from core.progress import report
from core.record import Record

SENT = 128
"""pictures that are sent away together"""
PUT = 2048
"""vectors that are written together"""


@dataclass(frozen=True, slots=True)
class Seeing:
    """The work: the vectors of some pictures by the CLIP called ``name``, in order."""

    name: str
    fingerprint: str
    read: Read

    def __call__(self, records: Sequence[Record]) -> list[Array]:
        embedder = Embedder.named(self.name, Memory())
        if embedder.fingerprint != self.fingerprint:
            raise MissingBase(
                f"clip: {self.name} is another model on {gethostname()} than where the run was started; "
                "put the same files there"
            )
        return list(embedder.pictures(records, self.read))


def embed(name: str, records: Sequence[Record], read: Read, cache: Cache, engine: Engine) -> None:
    """Make the vectors of ``records`` that ``cache`` lacks; `MissingBase` at once where there is no such CLIP."""
    embedder = Embedder.named(name, cache)
    if not engine.apart:
        embedder.pictures(records, read)
        return
    missing = embedder.missing(records)
    parts = cut(list(missing.items()), SENT)
    unsaved: dict[str, Array] = {}
    done = 0
    try:
        made = engine.map(Seeing(name, embedder.fingerprint, read), [[record for _, record in part] for part in parts])
        for part, vectors in zip(parts, made, strict=True):
            unsaved |= {key: vector for (key, _), vector in zip(part, vectors, strict=True)}
            done += len(part)
            report(LABEL, done, len(missing))
            if len(unsaved) >= PUT:
                cache.put(unsaved)
                unsaved = {}
    finally:
        cache.put(unsaved)
