"""Is a held-out picture's twin among the trained ones? Then what is said of it is not of a picture never seen.

`curation.splits` keeps twins together, so that there are none; but a recipe may ask it to look less closely, and a
snapshot may have been split by other settings. So each run looks again, as closely as by default, and leaves what it
finds out of everything that is measured: a twin of a trained picture showed a quarter of the others' gap.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.marks import REGULARISATION
from core.record import Record
from curation.cropped import crops
from curation.duplicates import near_duplicates
from curation.splits import Split
from flows.folds import in_fold
from flows.job import Job, reader
from store.store import Store

SHOWN = 3


def in_snapshot(job: Job, store: Store) -> list[Record]:
    """The kept pictures of the job's snapshot and fold, sorted by id; without those of regularisation."""
    kept = [r for r in store.records(tag=job.snapshot.tag) if r.verdict == "kept" and REGULARISATION not in r.tags]
    return in_fold(kept, job.recipe.fold)


def twins(records: Sequence[Record], store: Store) -> dict[str, str]:
    """Held-out records that are nearly the same picture as a trained one: id -> that one's id.

    As `Split` finds them by default: hashes and thumbnails, mirrored ones too, and cuts in sets that are not too large.
    """
    usual, read, cache = Split(), reader(store), store.cache("embeddings")
    real = [record for record in records if record.depth == 0]
    if not any(record.split == "held_out" for record in real):
        return {}
    found = [near_duplicates(real, usual.alike, read, cache)]
    if len(real) <= usual.crops:
        found.append(crops(real, usual, read, cache))
    leaked = {}
    for pair in np.concatenate(found).tolist():
        sides = {real[at].split: real[at] for at in pair}
        if len(sides) == 2 and "held_out" in sides:
            leaked[sides["held_out"].id] = sides["train"].id
    return leaked


def parts_of(job: Job) -> list[Job]:
    """The job, or where its step was chosen by parts the runs without one, in which pictures are held out."""
    count = job.recipe.split.k_fold
    parts = [(number, count) for number in range(1, count + 1)]
    return [replace(job, recipe=job.recipe.model_copy(update={"fold": part})) for part in parts] or [job]


def doubt_of_split(job: Job, store: Store) -> str:
    """A sentence where held-out pictures had to be left out; empty otherwise."""
    records: dict[str, Record] = {}
    leaked: dict[str, str] = {}
    held = 0
    for one in parts_of(job):
        own = in_snapshot(one, store)
        records |= {record.id: record for record in own}
        leaked |= twins(own, store)
        held += sum(record.split == "held_out" for record in own)
    if not leaked:
        return ""
    pairs = ", ".join(f"{records[one].name} ({records[other].name})" for one, other in list(leaked.items())[:SHOWN])
    return (
        f"The split leaks: {len(leaked)} of {held} held-out pictures have a twin among the trained ones and were left "
        f"out of what was measured, such as {pairs}. Let it look more closely: `split.radius`, `split.difference` and "
        "`split.crops` are below what they are by default, or the snapshot was split otherwise."
    )
