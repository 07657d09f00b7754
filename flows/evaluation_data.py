"""The pictures of `velatura evaluate`: folders, archives, or a dataset of ours, as trained and held-out ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backbones.backbone import Backbone
from backbones.encoding import conditionings, latents
from captioning.caption import caption
from captioning.captioner import Captioner
from core.errors import NotEnoughData, SourceError
from core.hashing import digest
from core.marks import REGULARISATION
from core.progress import say
from core.record import Record
from core.record import Split as Side
from curation.curate import curate, ingest
from curation.source import Source
from curation.splits import Split
from evaluation.case import Case, prior_cases
from evaluation.metric import Evidence
from flows.dataset_choice import dataset_names, open_dataset
from flows.home import Home
from flows.job import reader
from flows.leaking import twins
from flows.material import Material, is_real
from flows.pages.framing import framing
from flows.recipe import Samples
from store.store import Store
from training.spec import Train


@dataclass(frozen=True, slots=True)
class Seen:
    """The pictures of both sides, and where they and all that is computed of them are kept."""

    store: Store
    records: list[Record]
    texts: Mapping[str, str]
    """caption by record id"""
    notes: tuple[str, ...] = ()


def pictures_for(data: str, held_out: str, home: str, *, trigger: str, base: str) -> Seen:
    """The pictures that an adapter is looked at with.

    ``data`` is a folder or an archive of the pictures that it was trained on, or the name of one of our datasets, which
    has its own held-out pictures; ``held_out`` is a folder or an archive of others of their kind.
    """
    if not Path(data).expanduser().exists() and data in dataset_names(Home.of(home)):
        if held_out:
            raise SourceError(f"--held-out: the dataset {data} has held-out pictures of its own; leave it out")
        store = open_dataset(data, home)
        records = [r for r in store.records() if r.verdict == "kept" and is_real(r) and REGULARISATION not in r.tags]
        leaked = twins(records, store)
        notes = noted([record for record in records if record.id in leaked], data)
        records = [record for record in records if record.id not in leaked]
        return Seen(store, records, texts_of(store, records), notes)
    return from_files(data, held_out, home, trigger=trigger, base=base)


def from_files(data: str, held_out: str, home: str, *, trigger: str, base: str) -> Seen:
    """Read the files into a store of their own, so that a second look at them computes nothing again."""
    places: list[tuple[Side, str]] = [("train", data), *([("held_out", held_out)] if held_out else [])]  # type: ignore[list-item]
    sources = {side: source_of(path, side, home) for side, path in places}
    where = [str(Path(path).expanduser().absolute()) for _, path in places]
    store = Store.open(Home.of(home).root / "evaluations" / f"{Path(where[0]).stem}-{digest(where, trigger)}")
    with store.writer(say):
        for source in sources.values():
            ingest(store, source, ())
        curate(store, (), Split(held_out=0), sources=[source.name for source in sources.values()])
        wording = {"kind": "clip_tags", "trigger": trigger} if trigger else "clip_tags"
        caption(store, Captioner.parse(wording), reader(store), base=base)
    kept = [record for record in store.records() if record.verdict == "kept" and is_real(record)]
    named = {source.name: side for side, source in sources.items()}
    sided = [replace(record, split=named[record.source]) for record in kept if record.source in named]
    trained = {record.group for record in sided if record.split == "train" and record.group}
    leaked = [r for r in sided if r.split == "held_out" and r.group in trained]
    records = [record for record in sided if record not in leaked]
    if not records:
        raise NotEnoughData(f"no picture of {data} can be read")
    return Seen(store, records, texts_of(store, records), noted(leaked, data))


def noted(leaked: Sequence[Record], data: str) -> tuple[str, ...]:
    """What is told of held-out pictures that are not looked at."""
    notes = [f"{record.name} is left out: it is a near-duplicate of a picture in {data}" for record in leaked[:5]]
    more = [f"and {len(leaked) - 5} more are left out for the same reason"] if len(leaked) > 5 else []
    return (*notes, *more)


def source_of(path: str, side: str, home: str) -> Source:
    """A folder or an archive of pictures as a source; `SourceError` in words where it is neither."""
    place = Path(path).expanduser()
    if not place.exists():
        known = dataset_names(Home.of(home))
        there = f"; datasets of ours are: {', '.join(known)}" if known and side == "train" else ""
        raise SourceError(f"{path} is neither a folder nor an archive of pictures{there}")
    kind = "folder" if place.is_dir() else "archive"
    return Source.parse({"kind": kind, "path": str(place), "label": side})


def texts_of(store: Store, records: Sequence[Record]) -> dict[str, str]:
    """Caption by record id; empty where there is none."""
    known = store.captions()
    return {record.id: known[record.id].text if record.id in known else "" for record in records}


def material_of(seen: Seen, backbone: Backbone, samples: Samples) -> Material:
    """The pictures as the network sees them, from the caches where they are there. ``backbone`` must be untuned."""
    cache, records = seen.store.cache("latents"), seen.records
    shown = framing(Train(), backbone, records)
    encoded = latents(backbone, records, reader(seen.store), cache, resolution=shown.resolution, sizes=shown.sizes)
    told = conditionings(backbone, seen.texts.values(), seen.store.cache("text_states"))

    def cases(split: str) -> Sequence[Case]:
        own = [record for record in records if record.split == split]
        return [Case(r.id, r.group, encoded[r.id], told[seen.texts[r.id]] | shown.told(backbone, r)) for r in own]

    prior = prior_cases(backbone, samples.prior, cache, steps=samples.steps, guidance=samples.guidance)
    evidence = Evidence(train=cases("train"), held_out=cases("held_out"), prior=prior)
    return Material(records, seen.texts, [], told, evidence)
