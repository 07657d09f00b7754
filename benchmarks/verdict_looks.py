"""Makes a run of the proof as `velatura run` would, and looks at its checkpoints: as its user, and with the truth."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backbones.backbone import Backbone
from benchmarks.verdict_notes import Look, triples_of
from benchmarks.verdict_plans import Plan, recipe_of
from benchmarks.verdict_truth import (
    SIDE,
    Floats,
    Unseen,
    copy_distances,
    known_to_base,
    losses,
    rho_of,
    samples_of,
    taken,
    unseen_of,
)
from core.pixels import Pixels
from evaluation.case import chosen
from evaluation.metric import load_observation
from evaluation.metrics.memorisation import MemorisationResult
from evaluation.nearest import among, pixel_distances, thumbnails, to_groups
from flows import stages, trainer
from flows.bench import Bench
from flows.curve import measure_step, pause_probe
from flows.job import Job
from flows.judging import bench_of, candidate_of
from flows.material import Material, gather
from flows.spool import read


class Looker:
    """Keeps what serves all runs: the base, and what the truth is taken from."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.unseen: dict[str, tuple[Unseen, Floats]] = {}

    def looked_at(self, plan: Plan) -> list[Look]:
        """Train it and look at every checkpoint, drawing samples at the last one."""
        import torch

        torch.set_num_threads(1)
        began = time.process_time()
        recipe = recipe_of(self.root, plan)
        store = stages.open_store(recipe)
        job = stages.prepare_job(recipe, taken(recipe, store))
        if not job.finished:
            job.write()
            trainer.work(job.folder)  # in this process: what is imported and loaded once serves all runs
        trained = time.process_time() - began
        backbone = job.recipe.family.load(device="cpu")
        material = gather(job, store, backbone)
        bench = bench_of(job, store, backbone, material)
        steps = [step for step in job.looked if step]
        drawn_at = {steps[-1]} if draws(plan) else set()
        truth = Truth(self, plan, backbone, material, bench)
        made = []
        for before, step in zip([0, *steps], steps, strict=False):
            made.append(look(job, plan, bench, truth, (before, step), draw=step in drawn_at))
        made[-1].seconds.update(train=trained, all=time.process_time() - began)
        return made


def draws(plan: Plan) -> bool:
    """Whether samples are drawn of the last checkpoint: not where the rate is low or 60 pictures were seen 3 times."""
    return plan.purpose == "field" and (plan.level == "high" or (plan.level, plan.size) == ("right", 8))


class Truth:
    """What the base answers to the truth's pictures, and how a checkpoint is asked the same."""

    def __init__(self, looker: Looker, plan: Plan, backbone: Backbone, material: Material, bench: Bench) -> None:
        if plan.style not in looker.unseen:
            found = unseen_of(looker.root, plan.style, backbone)
            looker.unseen[plan.style] = found, losses(backbone, found.cases, found.texts, in_turn=True)
        self.pictures, self.base = looker.unseen[plan.style]
        self.material, self.bench = material, bench
        train = chosen(material.evidence.train, 20)
        self.train = train, [material.texts[case.record] for case in train]
        self.known = known_to_base(looker.root, backbone, bench.samples.prior)
        self.base_train = losses(backbone, *self.train)
        self.base_known = losses(backbone, *self.known, in_turn=True)

    def of(self, backbone: Backbone, *, draw: bool) -> tuple[dict[str, Floats], list[Pixels]]:
        """Within a candidate: rho of each picture, and samples."""
        rho = {
            "unseen": rho_of(self.base, losses(backbone, self.pictures.cases, self.pictures.texts, in_turn=True)),
            "train": rho_of(self.base_train, losses(backbone, *self.train)),
            "known": rho_of(self.base_known, losses(backbone, *self.known, in_turn=True)),
        }
        drawn = samples_of(backbone, self.material, self.pictures) if draw else []
        return rho, drawn


def look(job: Job, plan: Plan, bench: Bench, truth: Truth, steps: tuple[int, int], *, draw: bool) -> Look:
    """Everything of one checkpoint; ``steps`` are the one before and its own."""
    before, step = steps
    candidate, evidence = candidate_of(job, step), truth.material.evidence
    probe = pause_probe(job)
    base, tuned = (load_observation(job.step_folder(at) / "probe.npz")["losses"] for at in (0, step))
    asked = [(case.record, case.group, side) for side, case in probe.asked(evidence)]
    with candidate.on(bench.backbone):
        rho, drawn = truth.of(bench.backbone, draw=draw)
    metrics = {metric.kind: metric for metric in job.recipe.metrics}
    others = [metric for kind, metric in metrics.items() if kind not in ("probe", "prior_drift", "memorisation")]
    found = bench.measured(candidate, [*others, *([metrics["memorisation"]] if draw else [])])
    copies = found.pop("memorisation", None)
    trained = bench.real["train"]
    near: dict[str, Sequence[float]] = {}
    if isinstance(copies, MemorisationResult):
        near = near_of(bench) | {
            "samples": [pair.pixel for pair in copies.pairs],
            "drawn": copy_distances(drawn, trained.pixels, trained.groups).tolist(),
            "unseen": copy_distances(truth.pictures.pictures, trained.pixels, trained.groups).tolist(),
        }
    return Look(
        plan,
        step,
        train_loss=mean_loss(job, before, step),
        records=tuple(asked),
        base=tuple(map(tuple, np.asarray(base).tolist())),
        tuned=tuple(map(tuple, np.asarray(tuned).tolist())),
        drift=triples_of(measure_step(job, metrics["prior_drift"], evidence, step)) if evidence.prior else (),
        truth={name: tuple(values.tolist()) for name, values in rho.items()},
        memorisation=triples_of(copies) if copies is not None else (),
        near={name: tuple(values) for name, values in near.items()},
        more={kind: triples_of(one) for kind, one in found.items()},
        seconds={},
    )


def near_of(bench: Bench) -> dict[str, Sequence[float]]:
    """Distances to the nearest trained picture of real pictures and of the base's samples."""
    from evaluation.candidate import base

    train, held_out = bench.real["train"], bench.real["held_out"]
    small = thumbnails(train.pixels, SIDE)
    own = among(pixel_distances(small, small), train.groups)
    other = to_groups(pixel_distances(thumbnails(held_out.pixels, SIDE), small), train.groups).min(1)
    drawn = copy_distances(bench.looked_through(base(), bench.many), train.pixels, train.groups)
    return {"real": [*own.tolist(), *other.tolist()], "base": drawn.tolist()}


def mean_loss(job: Job, before: int, step: int) -> float:
    """The mean of the training loss between two checkpoints."""
    return float(np.mean([f.value for f in read(job.spool) if f.key == "train/loss" and before < f.step <= step]))
