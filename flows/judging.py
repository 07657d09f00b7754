"""After training: choose the checkpoint to keep, draw and measure it, and say in words what was found."""

import math
import shutil
from collections.abc import Sequence
from dataclasses import replace

from backbones.backbone import Backbone
from core.files import replacing
from evaluation.candidate import Candidate, base, from_file
from evaluation.metric import Measured, Metric, logged
from evaluation.report import Samples, write_report
from evaluation.verdict import Verdict, best_step
from evaluation.verdict import judge as give_verdict
from flows import folds
from flows.bench import Bench
from flows.curve import in_pauses, measure_step, probe_curve, probe_of
from flows.job import Job, reader
from flows.judgement import Judgement
from flows.leaking import doubt_of_split
from flows.material import Material, gather
from flows.nearest_pairs import nearest_of
from flows.run_report import Found, dataset_of, report_data, weights_name, write_pictures
from store.store import Store
from training.files import restamp

OF_USE = ("strength", "which_part")
"""metrics that say how a file is best used: asked of the one that is kept"""


def judge(job: Job, store: Store) -> Judgement:
    """Measure the kept and the last checkpoint and write weights, pictures and report into the run's folder."""
    import torch

    torch.set_num_threads(job.recipe.train.threads)
    backbone = job.recipe.family.load(device=job.device)
    material = gather(job, store, backbone)
    folded = folds.kept(job, probe_of(job))
    curve = folded.curve if folded else probe_curve(job, material.evidence)
    last = max(job.looked)
    kept = last if folded else best_step(curve) or last
    bench = bench_of(job, store, backbone, material)
    drawn = {step: bench.shown(candidate_of(job, step)) for step in dict.fromkeys((0, kept, last))}
    asked = {last: [metric for metric in job.recipe.metrics if metric.kind not in OF_USE], kept: job.recipe.metrics}
    measured = {step: found_at(job, bench, step, metrics) for step, metrics in asked.items()}
    if folded:
        measured[kept]["probe"] = folded.curve[kept]  # of its own pictures none is held out
    for step, known in measured.items():
        known.setdefault("probe", curve[step])  # there is nothing to look at, which it says
    verdicts = {
        step: give_verdict(
            curve,
            found.get("memorisation"),
            found.get("prior_drift"),
            now=found["probe"],
            step=step,
            strength=found.get("strength"),
            parts=found.get("which_part"),
        )
        for step, found in measured.items()
    }
    shown = Samples(
        tuple(bench.prompts),
        tuple(f"step {step}" if step else "base" for step in drawn),
        tuple(zip(*drawn.values(), strict=True)),
        best=f"step {kept}",
    )
    nearest = nearest_of(bench, measured[kept], candidate_of(job, kept))
    weights = keep_weights(job, kept, verdicts[kept])
    pictures = write_pictures(job, shown, nearest, bench.real["train"].pixels)
    found = Found(curve, verdicts[kept], measured[kept], shown, nearest)
    unseen = [
        f"Not measured: {one.kind} ({bench.lacks(one, candidate_of(job, kept)) or 'too few pictures'})."
        for one in job.recipe.metrics
        if one.kind not in measured[kept]
    ]
    doubts = tuple(filter(None, (doubt_of_split(job, store), bench.doubt_of_captions())))
    notes = (*([folded.words] if folded else []), *unseen, *doubts)
    dataset = replace(dataset_of(job, store, material), notes=notes)
    write_report(job.folder / "report.html", report_data(job, dataset, found, kept, last))
    return Judgement(
        state=verdicts[kept].state,
        words=verdicts[kept].words,
        remedy=verdicts[kept].remedy,
        last_state=verdicts[last].state,
        kept_step=kept,
        last_step=last,
        figures=logged(measured[kept]) | (folded.figures if folded else {}),
        last_figures=logged(measured[last]),
        findings=verdicts[kept].dump()["findings"],
        doubts=list(doubts),
        best_strength=verdicts[kept].best_strength if math.isfinite(verdicts[kept].best_strength) else None,
        culprit=verdicts[kept].culprit,
        stopped_early=job.gave_up.exists(),
        files={**weights, **pictures, "report": str(job.folder / "report.html")},
    )


def bench_of(job: Job, store: Store, backbone: Backbone, material: Material) -> Bench:
    """Where all checkpoints of a run are looked at."""
    return Bench(
        backbone,
        material,
        job.recipe.samples,
        reader(store),
        store.cache,
        prompts=material.prompts(job),
        trigger=getattr(job.recipe.captioner, "trigger", ""),
        kept=job.folder / "observed",
    )


def candidate_of(job: Job, step: int) -> Candidate:
    """The base (step 0), or a checkpoint's own weights file."""
    if not step:
        return base()
    return from_file(job.weights(step) / job.recipe.train.adapter.files["weights"], name=f"step {step}")


def found_at(job: Job, bench: Bench, step: int, metrics: Sequence[Metric]) -> dict[str, Measured]:
    """Every one of these metrics that there is evidence for, at one step; the probe of all its pictures."""
    seen: list[Metric] = []
    others: list[Metric] = []
    for metric in metrics:
        was_seen = (job.step_folder(step) / f"{metric.kind}.npz").exists() and in_pauses(job, metric) == metric
        (seen if was_seen else others).append(metric)
    found = {metric.kind: measure_step(job, metric, bench.evidence, step) for metric in seen}
    return found | bench.measured(candidate_of(job, step), others)


def keep_weights(job: Job, step: int, found: Verdict) -> dict[str, str]:
    """Put the kept step's weights where they are looked for, in every layout, with the verdict in their metadata."""
    said = {"velatura.verdict": found.state, "velatura.verdict_words": found.words}  # no dates: same run, same bytes
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
