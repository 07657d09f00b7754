"""The class pictures of prior preservation: those in the dataset that are marked so, and those the base draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from backbones.backbone import Backbone
from backbones.encoding import latents
from core.cache import Cache
from core.caption import Caption
from core.marks import REGULARISATION
from core.record import Record
from flows.job import Job, reader
from flows.pages.framing import framing
from store.store import Store
from training.class_pictures import drawn_class, with_class
from training.data import Example

if TYPE_CHECKING:
    from torch import Tensor


def class_examples(job: Job, store: Store, backbone: Backbone, cache: Cache) -> list[Example]:
    """What is trained beside the pictures, if the recipe asks for it. ``backbone`` must be untuned.

    ``cache``: of latents.
    """
    spec = job.recipe.train.class_pictures
    if spec is None:
        return []
    tag = job.snapshot.tag
    marked = [r for r in store.records(tag=tag) if r.verdict == "kept" and REGULARISATION in r.tags]
    captions = store.captions(tag=tag)
    shown = framing(job.recipe.train, backbone, marked)
    found = latents(backbone, marked, reader(store), cache, resolution=shown.resolution, sizes=shown.sizes)
    given = (replace(_given(r, found, captions), framing=shown.told(backbone, r)) for r in marked)
    return [*given, *drawn_class(spec, backbone, cache)]


def _given(record: Record, found: Mapping[str, Tensor], captions: Mapping[str, Caption]) -> Example:
    text = captions[record.id].text if record.id in captions else ""
    return Example(record.id, found[record.id], text, record.weight)


def beside(job: Job, examples: Sequence[Example], of_class: Sequence[Example]) -> list[Example]:
    """The pictures and, where there are any, those of the class at the recipe's share."""
    spec = job.recipe.train.class_pictures
    return with_class(spec, examples, of_class) if spec is not None else list(examples)
