"""CLIP vectors of pictures and words, each made once; the CLIP itself is loaded when the first one is missing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backbones.ahead import ahead
from backbones.clip_files import files_of, fingerprint_of, full_name
from core.cache import Array, Cache, remembered
from core.hashing import digest
from core.pixels import Read, pictures_of
from core.progress import report
from core.record import Record

if TYPE_CHECKING:
    from torch import Tensor

    from backbones.clip import Clip

Vectors = NDArray[np.float32]
"""(n, d), of unit length, so that a dot product is a cosine"""

Files = tuple[tuple[str, int, int], ...]
"""path, size and time of each"""

LABEL = "embedding pictures"
SAVED_EVERY = 10.0
"""seconds after which vectors are put away: what a killed run loses; a commit of the store costs as much as some"""
SHARD = 1 << 16
"""vectors that are read from the cache together"""


class Embedder:
    """One CLIP beside a cache. Where all vectors are there, neither torch nor the CLIP is loaded."""

    def __init__(self, fingerprint: str, load: Callable[[], Clip], cache: Cache) -> None:
        self.fingerprint = fingerprint
        self._load = load
        self._cache = cache

    @classmethod
    def named(cls, name: str, cache: Cache) -> Embedder:
        """Of the CLIP called ``name``, as `backbones.clip` knows it; `MissingBase` at once where it is not there."""
        files = tuple(
            (str(file), (seen := file.stat()).st_size, seen.st_mtime_ns) for file in files_of(full_name(name))
        )
        return cls(_fingerprint(name, files), lambda: _opened(name, files), cache)

    @classmethod
    def of(cls, clip: Clip, cache: Cache) -> Embedder:
        """Of a CLIP that is loaded already."""
        return cls(clip.fingerprint, lambda: clip, cache)

    @cached_property
    def clip(self) -> Clip:
        """The network, loaded when it is first asked for."""
        return self._load()

    def pictures(self, records: Sequence[Record], read: Read) -> Vectors:
        """The vectors of pictures, in order. What is missing is made, a batch at a time while others are decoded."""
        keys = [self.key(record) for record in records]
        vectors, places = self._cached(keys)
        missing = {key: records[at[0]] for key, at in places.items()}
        for key, vector in self._made(missing, read) if missing else ():
            vectors = vectors if len(vectors) else np.zeros((len(keys), len(vector)), np.float32)
            vectors[places[key]] = vector
        return vectors

    def missing(self, records: Sequence[Record]) -> dict[str, Record]:
        """Those whose vectors are not there, by key; of equal pictures one."""
        found: dict[str, Record] = {}
        for start in range(0, len(records), SHARD):
            shard = {self.key(record): record for record in records[start : start + SHARD]}
            there = self._cache.get(list(shard))
            found |= {key: record for key, record in shard.items() if key not in there}
        return found

    def key(self, record: Record) -> str:
        """Where the vector of a record's picture is kept."""
        return digest("embedding", record.pixels_key, self.fingerprint, length=32)

    def texts(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts, in order."""
        keys = [digest("phrase", self.fingerprint, ["{}"], text, length=32) for text in texts]

        def make(positions: list[int]) -> list[Array]:
            return list(self.clip.embed_texts([texts[at] for at in positions]))

        made = remembered(self._cache, keys, make, batch=128)
        return np.stack(made).astype(np.float32) if made else np.zeros((0, 0), np.float32)

    @property
    def scale(self) -> float:
        """What cosines are multiplied with before a softmax, as the CLIP was trained."""
        key = digest("clip-scale", self.fingerprint, length=32)
        (value,) = remembered(self._cache, [key], lambda _: [np.array(self.clip.scale)])
        return float(value)

    def _cached(self, keys: Sequence[str]) -> tuple[Vectors, dict[str, list[int]]]:
        """The vectors that are there, each in its place, and the places of those that are not by key."""
        vectors = np.zeros((0, 0), np.float32)
        missing: dict[str, list[int]] = {}
        for start in range(0, len(keys), SHARD):
            shard = keys[start : start + SHARD]
            found = self._cache.get(list(dict.fromkeys(shard)))
            for at, key in enumerate(shard, start):
                if key not in found:
                    missing.setdefault(key, []).append(at)
                    continue
                vectors = vectors if len(vectors) else np.zeros((len(keys), len(found[key])), np.float32)
                vectors[at] = found[key]
        return vectors, missing

    def _made(self, missing: Mapping[str, Record], read: Read) -> Iterator[tuple[str, Array]]:
        """The vectors of ``missing`` by key, put away every few seconds and at the end, however it ends."""
        clip, keys, done = self.clip, list(missing), 0
        unsaved: dict[str, Array] = {}
        saved = time.monotonic()
        report(LABEL, 0, len(missing))

        def prepared(some: Sequence[str]) -> list[Tensor]:
            return [clip.prepared(picture) for picture in pictures_of(read, [missing[key] for key in some])]

        batches = [keys[start : start + clip.at_once] for start in range(0, len(keys), clip.at_once)]
        try:
            for batch, tensors in zip(batches, ahead(prepared, batches), strict=True):
                made = dict(zip(batch, clip.embed_prepared(tensors), strict=True))
                unsaved |= made
                done += len(made)
                report(LABEL, done, len(missing))
                yield from made.items()
                if time.monotonic() - saved > SAVED_EVERY:
                    self._cache.put(unsaved)
                    unsaved, saved = {}, time.monotonic()
        finally:
            self._cache.put(unsaved)


@lru_cache(maxsize=8)
def _fingerprint(name: str, files: Files) -> str:  # noqa: ARG001  another size or time: hashed again
    return fingerprint_of(name)


@lru_cache(maxsize=1)
def _opened(name: str, files: Files) -> Clip:  # noqa: ARG001
    """One is kept, since several filters ask for the same; on a GPU if there is one."""
    import torch

    from backbones.clip import Clip

    return Clip.open(name, device="cuda" if torch.cuda.is_available() else "cpu")
