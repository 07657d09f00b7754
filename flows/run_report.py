"""The report on a run, and its sheets of pictures: from what was found, and from what the dataset says of itself."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from core.files import replacing
from core.pixels import Pixels
from core.record import Record
from evaluation.grid import beside_nearest, grid, strip
from evaluation.metric import Measured
from evaluation.metrics.probe import ProbeResult
from evaluation.report import Dataset, Nearest, Refusal, ReportData, Samples
from evaluation.verdict import Verdict
from flows.job import Job, reader
from flows.material import Material
from flows.nearest_pairs import SHOWN
from flows.spool import read
from store.store import Store


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of the kept step."""

    curve: Mapping[int, ProbeResult]
    verdict: Verdict
    measured: Mapping[str, Measured]
    samples: Samples
    nearest: Sequence[Nearest]


def report_data(job: Job, dataset: Dataset, found: Found, kept: int, last: int) -> ReportData:
    """Everything that the report shows."""
    recipe = job.recipe
    return ReportData(
        title=recipe.name,
        made=time.strftime("%d %B %Y, %H:%M"),
        verdict=found.verdict,
        curve=found.curve,
        measured=found.measured,
        losses=[(figure.step, figure.value) for figure in read(job.spool) if figure.key == "train/loss"],
        samples=found.samples,
        nearest=found.nearest,
        dataset=dataset,
        recipe=yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        facts=[
            ("base", recipe.base),
            ("adapter", recipe.train.adapter.kind),
            ("steps", f"{kept} kept of {last}"),
            ("data", f"{job.snapshot.tag}, manifest {job.snapshot.manifest[:12]}"),
        ],
        files=[("weights", f"weights/{weights_name(job, 'weights')}"), ("run", job.folder.name)],
    )


def dataset_of(job: Job, store: Store, material: Material) -> Dataset:
    """What the run was trained and measured on, and what was refused and why."""
    records = store.records(tag=job.snapshot.tag)
    read_one = reader(store)
    refused: dict[str, list[Record]] = {}
    for record in records:
        if record.verdict == "refused" and record.depth == 0:
            refused.setdefault(record.reasons[0].code if record.reasons else "unknown", []).append(record)

    def shown(some: Sequence[Record]) -> tuple[Pixels, ...]:
        return tuple(read_one(record) for record in some if record.width)

    families: dict[str, list[Record]] = {}
    for record in records:
        if record.depth == 0 and record.group:
            families.setdefault(record.group, []).append(record)
    train, held_out = material.side("train"), material.side("held_out")
    return Dataset(
        snapshot=job.snapshot.tag,
        manifest=job.snapshot.manifest,
        train=len(train),
        held_out=len(held_out),
        made=sum(record.depth > 0 for record in material.kept),
        groups=len({record.group for record in [*train, *held_out]}),
        refused=tuple(
            Refusal(code, some[0].reasons[0].words if some[0].reasons else "", len(some), shown(some[:4]))
            for code, some in sorted(refused.items())
        ),
        duplicates=tuple(shown(some[:4]) for some in [one for one in families.values() if len(one) > 1][:SHOWN]),
        pictures=shown(train[:SHOWN]),
    )


def write_pictures(job: Job, samples: Samples, nearest: Sequence[Nearest], trained: Sequence[Pixels]) -> dict[str, str]:
    """The sheets of pictures as files: samples beside the base's, and beside the nearest training pictures."""
    sheets = {
        "samples": grid(samples.prompts, samples.columns, samples.pictures),
        "training_pictures": strip(trained[:32]),
    }
    if nearest:
        sheets["nearest"] = beside_nearest([(n.sample, n.training, "copy" if n.copied else "") for n in nearest])
    for name, data in sheets.items():
        with replacing(job.folder / "pictures" / f"{name}.png") as temporary:
            temporary.write_bytes(data)
    return {name: str(job.folder / "pictures" / f"{name}.png") for name in sheets}


def weights_name(job: Job, what: str) -> str:
    """What a file of the kept weights is called: the recipe's name for the one to use, its own for the others."""
    name = job.recipe.train.adapter.files[what]
    return f"{job.recipe.name}{Path(name).suffix}" if what == "weights" else name
