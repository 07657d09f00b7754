"""Latents and text states made by an engine before the trainer asks for them: it then finds them in the caches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from backbones.backbone import Backbone
from backbones.encoding import conditionings, latents
from backbones.family import Family, Precision
from backbones.reading_text import TextReading
from core.cache import Array
from core.engine import Engine, cut
from core.pixels import Read
from core.progress import report
from core.record import Record
from flows.job import Job, device, reader
from flows.material import kept_of, wording
from flows.pages.framing import framing
from store.carried import Carried
from store.store import Store
from training.buckets import Size

SENT = 64
"""pictures, or texts, that are sent away together"""


@dataclass(frozen=True, slots=True)
class Picturing:
    """The work: latents of some pictures, each at its size, that the store lacks."""

    family: Family
    precision: Precision
    read: Read
    cache: Carried
    resolution: int

    def __call__(self, pictures: Sequence[tuple[Record, Size]]) -> Mapping[str, Array]:
        backbone = loaded(self.family, self.precision)
        sizes = {record.id: size for record, size in pictures}
        records = [record for record, _ in pictures]
        latents(backbone, records, self.read, self.cache, resolution=self.resolution, sizes=sizes)
        return self.cache.taken()


@dataclass(frozen=True, slots=True)
class Telling:
    """The work: states of some texts that the store lacks."""

    family: Family
    precision: Precision
    reading: TextReading
    cache: Carried

    def __call__(self, texts: Sequence[str]) -> Mapping[str, Array]:
        conditionings(loaded(self.family, self.precision), texts, self.cache, self.reading)
        return self.cache.taken()


def encode(job: Job, store: Store, engine: Engine) -> None:
    """Fill the caches with what `flows.material.gather` asks for; class pictures and the prior stay the trainer's."""
    recipe = job.recipe
    family, spec = recipe.family, recipe.train
    kept = kept_of(job, store)
    words = wording(job, store, kept)
    shown = framing(spec, loaded(family, spec.precision), kept)
    pictures = [(record, shown.sizes[record.id]) for record in kept]
    cache, done = Carried(store, "latents"), 0
    picturing = Picturing(family, spec.precision, reader(store), cache, shown.resolution)
    for made in engine.map(picturing, cut(pictures, SENT)):
        cache.put(made)
        done += SENT
        report("encoding pictures", min(done, len(pictures)), len(pictures))
    cache = Carried(store, "text_states")
    telling = Telling(family, spec.precision, TextReading(spec.captions.tokens, spec.captions.emphasis), cache)
    for made in engine.map(telling, cut(sorted(set(words.spoken)), SENT)):
        cache.put(made)


@lru_cache(maxsize=1)
def loaded(family: Family, precision: Precision) -> Backbone:
    """The base, kept for the parts that come."""
    return family.load(device=device(), precision=precision)
