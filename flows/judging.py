"""After training: choose the checkpoint to keep, draw and measure it, say in words what was found, and publish it."""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from backbones.backbone import Backbone
from backbones.clip import Clip
from backbones.encoding import embeddings
from core.files import replacing
from core.pixels import Pixels
from core.progress import track
from core.record import Record
from core.seeding import seed_of
from evaluation.grid import beside_nearest, grid, strip
from evaluation.metric import Evidence, Gallery, Measured, Metric, Subject, load_observation, logged
from evaluation.metrics.memorisation import MemorisationResult
from evaluation.metrics.probe import ProbeResult
from evaluation.report import Dataset, Nearest, Refusal, ReportData, Samples, write_report
from evaluation.verdict import Verdict, best_step
from evaluation.verdict import judge as give_verdict
from flows.job import Job, reader
from flows.judgement import Judgement
from flows.material import Material, gather
from flows.spool import read
from flows.tracking import Tracking
from store.store import Store
from training.files import restamp

SHOWN = 12
"""pictures of a kind that the report shows"""


def judge(job: Job, store: Store) -> Judgement:
    """Measure the kept and the last checkpoint and write weights, pictures and report into the run's folder."""
    import torch

    torch.set_num_threads(job.recipe.train.threads)
    backbone = job.recipe.family.load(device=job.device)
    material = gather(job, store, backbone)
    curve = probe_curve(job, material.evidence)
    last = max(curve)
    kept = best_step(curve) or last
    bench = Bench(job, store, backbone, material)
    drawn = {step: bench.draw(step) for step in dict.fromkeys((0, kept, last))}
    measured = {step: bench.measured(step, drawn) for step in dict.fromkeys((kept, last))}
    verdicts = {
        step: give_verdict(curve, found.get("memorisation"), found.get("prior_drift"), step=step)
        for step, found in measured.items()
    }
    shown = Samples(
        tuple(bench.prompts),
        tuple(f"step {step}" if step else "base" for step in drawn),
        tuple(zip(*(shots.shown for shots in drawn.values()), strict=True)),
        best=f"step {kept}",
    )
    nearest = bench.nearest(measured[kept], drawn[kept].many)
    weights = keep_weights(job, kept, verdicts[kept])
    pictures = write_pictures(job, shown, nearest, bench.real["train"].pixels)
    found = Found(curve, verdicts[kept], measured[kept], shown, nearest)
    write_report(job.folder / "report.html", report_data(job, dataset_of(job, store, material), found, kept, last))
    return Judgement(
        state=verdicts[kept].state,
        words=verdicts[kept].words,
        remedy=verdicts[kept].remedy,
        last_state=verdicts[last].state,
        kept_step=kept,
        last_step=last,
        figures=logged(measured[kept]),
        last_figures=logged(measured[last]),
        files={**weights, **pictures, "report": str(job.folder / "report.html")},
    )


def probe_curve(job: Job, evidence: Evidence) -> dict[int, ProbeResult]:
    """The probe at every looked-at step, from what the trainer observed there."""
    probe = next(metric for metric in job.recipe.metrics if metric.kind == "probe")
    curve = {}
    for step in job.looked:
        result = measure_step(job, probe, evidence, step)
        assert isinstance(result, ProbeResult)
        curve[step] = result
    return curve


def measure_step(job: Job, metric: Metric, evidence: Evidence, step: int) -> Measured:
    """A pause metric at one step, beside step 0."""
    base, tuned = (load_observation(job.step_folder(at) / f"{metric.kind}.npz") for at in (0, step))
    return metric.measure(base, tuned, evidence)


@dataclass(frozen=True, slots=True)
class Shots:
    """What one network drew: for the shown prompts, and for the search for copies."""

    shown: list[Pixels]
    many: Gallery


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of the kept step."""

    curve: Mapping[int, ProbeResult]
    verdict: Verdict
    measured: Mapping[str, Measured]
    samples: Samples
    nearest: Sequence[Nearest]


class Bench:
    """Draws with one checkpoint after the other, and measures what was drawn."""

    def __init__(self, job: Job, store: Store, backbone: Backbone, material: Material) -> None:
        self.job, self.store, self.backbone, self.material = job, store, backbone, material
        self.prompts = material.prompts(job)
        self.many = self._many()
        clip = Clip.open(job.recipe.samples.clip, device=job.device)
        self.clip = clip
        self.real = {side: self._gallery(material.side(side)) for side in ("train", "held_out")}

    def _many(self) -> list[str]:
        """The prompts that are looked through for copies: captions of both sides in turn, as often as is needed."""
        sides = [self.material.captions(side) for side in ("train", "held_out")]
        turns = [prompt for pair in zip(*sides, strict=False) for prompt in pair] or sides[0]
        count = self.job.recipe.samples.memorisation
        return [turns[number % len(turns)] for number in range(count)]

    def _gallery(self, records: Sequence[Record]) -> Gallery:
        read_one = reader(self.store, self.job.recipe.reading)
        return Gallery(
            tuple(record.id for record in records),
            tuple(record.group or record.id for record in records),
            tuple(read_one(record) for record in records),
            embeddings(self.clip, records, read_one, self.store.cache("embeddings")),
        )

    def draw(self, step: int) -> Shots:
        """Pictures of the shown prompts and of the many, by the base (step 0) or a checkpoint's own weights file."""
        spec = self.job.recipe.samples
        if step:
            self.backbone.apply_adapter(self.job.weights(step) / self.job.recipe.train.adapter.files["weights"])
        asked = [*self.prompts, *self.many]
        seeds = [seed_of("sample", spec.seed, number) % 2**32 for number in range(len(asked))]
        drawn = [
            self.backbone.sample([prompt], [seed], steps=spec.steps, guidance=spec.guidance)[0]
            for prompt, seed in track(list(zip(asked, seeds, strict=True)), f"drawing at step {step}", len(asked))
        ]
        self.backbone.remove_adapter()
        many = drawn[len(self.prompts) :]
        gallery = Gallery(tuple(self.many), tuple(self.many), tuple(many), self.clip.embed_pictures(many))
        return Shots(drawn[: len(self.prompts)], gallery)

    @property
    def evidence(self) -> Evidence:
        """What trainer's metrics see, and the real pictures."""
        return replace(
            self.material.evidence, train_pictures=self.real["train"], held_out_pictures=self.real["held_out"]
        )

    def measured(self, step: int, drawn: Mapping[int, Shots]) -> dict[str, Measured]:
        """Every metric of the recipe that there is evidence for, at one step."""
        found: dict[str, Measured] = {}
        enough = len(self.many) > 0 and len(self.real["held_out"]) > 0 and len(set(self.real["train"].groups)) > 1
        for metric in self.job.recipe.metrics:
            if (self.job.step_folder(step) / f"{metric.kind}.npz").exists():
                found[metric.kind] = measure_step(self.job, metric, self.evidence, step)
            elif metric.needs <= {"samples", "pictures"} and enough:
                base, tuned = (
                    metric.observe(Subject(self.backbone, self.evidence, drawn[at].many)) for at in (0, step)
                )
                found[metric.kind] = metric.measure(base, tuned, self.evidence)
        return found

    def nearest(self, measured: Mapping[str, Measured], samples: Gallery) -> list[Nearest]:
        """The samples that come nearest to a training picture, the nearest first."""
        result = measured.get("memorisation")
        if not isinstance(result, MemorisationResult):
            return []
        train = self.real["train"].pixels
        return [
            Nearest(samples.pixels[p.sample], train[p.training], samples.names[p.sample], p.pixel, p.clip, p.copied)
            for p in result.pairs[:SHOWN]
        ]


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


def keep_weights(job: Job, step: int, found: Verdict) -> dict[str, str]:
    """Put the kept step's weights where they are looked for, in every layout, with the verdict in their metadata."""
    said = {"velatura.verdict": found.state, "velatura.verdict_words": found.words}
    files = {}
    for what, name in job.recipe.train.adapter.files.items():
        source, target = job.weights(step) / name, job.folder / "weights" / weights_name(job, what)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            with replacing(target) as temporary:
                shutil.copyfile(source, temporary)
        if target.suffix == ".safetensors":
            restamp(target, said)
        files[what] = str(target)
    return files


def weights_name(job: Job, what: str) -> str:
    """What a file of the kept weights is called: the recipe's name for the one to use, its own for the others."""
    name = job.recipe.train.adapter.files[what]
    return f"{job.recipe.name}{Path(name).suffix}" if what == "weights" else name


def report_data(job: Job, dataset: Dataset, found: Found, kept: int, last: int) -> ReportData:
    """Everything that the report shows."""
    recipe = job.recipe
    return ReportData(
        title=recipe.name,
        made=time.strftime("%d %B %Y, %H:%M"),
        verdict=found.verdict,
        curve=found.curve,
        measured={kind: one for kind, one in found.measured.items() if kind != "probe"},
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
    read_one = reader(store, job.recipe.reading)
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


def publish(job: Job, tracking: Tracking, run: str, judgement: Judgement) -> str:
    """Log pictures by step, files, figures and tags, and register the kept checkpoint; the version's number."""
    for step in job.looked:
        for number, path in enumerate(sorted(job.step_folder(step).glob("sample-*.png"))):
            with Image.open(path) as image:
                tracking.log_picture(run, f"samples/prompt{number}", step, np.asarray(image.convert("RGB")))
    for name, file in judgement.files.items():
        ours = job.recipe.train.adapter.files
        folder = "weights" if name in ours else {"report": ""}.get(name, "pictures")
        if not Path(file).is_dir():  # a whole model's folder stays where it is; the registry has the one file
            tracking.log_file(run, Path(file), folder)
    tags = {
        "velatura.verdict": judgement.state,
        "velatura.best_step": str(judgement.kept_step),
        "velatura.last_verdict": judgement.last_state,
        **{
            f"velatura.{name}": f"{judgement.figures[key]:.3f}"
            for name, key in TAGGED.items()
            if key in judgement.figures
        },
    }
    tracking.tag(run, tags)
    version = tracking.register(
        job.recipe.name,
        run,
        "weights",
        {"velatura.dataset": job.snapshot.tag, "velatura.manifest": job.snapshot.manifest, **tags},
    )
    tracking.end(run)
    return version


TAGGED = {
    "learning": "probe/learning",
    "gap": "probe/gap",
    "copy_rate": "memorisation/copy_rate",
    "drift": "prior_drift/relative",
}
