"""What a judged run tells MLflow: pictures by step, files, figures and tags, a model per checkpoint, the version."""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from flows.job import Job
from flows.judgement import Judgement
from flows.picture_series import PictureSeries
from flows.spool import Figure, read
from flows.tracking import Tracking


def publish(job: Job, tracking: Tracking, run: str, judgement: Judgement) -> str:
    """Log pictures by step, files, figures and tags, and register the kept checkpoint; the version's number."""
    PictureSeries(job, tracking, run).send()
    at_the_end = end_figures(job, judgement)
    tracking.log_figures(run, at_the_end)
    log_checkpoints(job, tracking, run, at_the_end)
    for name, file in judgement.files.items():
        ours = job.recipe.train.adapter.files
        folder = "weights" if name in ours else {"report": ""}.get(name, "pictures")
        if not Path(file).is_dir():  # a whole model's folder stays where it is; the registry has the one file
            tracking.log_file(run, Path(file), folder)
    tags = {
        "velatura.verdict": judgement.state,
        "velatura.best_step": str(judgement.kept_step),
        "velatura.last_verdict": judgement.last_state,
        **({"velatura.culprit": judgement.culprit} if judgement.culprit else {}),
        **({"velatura.doubts": " ".join(judgement.doubts)} if judgement.doubts else {}),
        **{
            f"velatura.{name}": f"{judgement.figures[key]:.3f}"
            for name, key in TAGGED.items()
            if key in judgement.figures
        },
    }
    tracking.tag(run, tags)
    tracking.log_figures(run, verdict_figures(judgement))
    version = tracking.register(
        job.recipe.name,
        run,
        "weights",
        {"velatura.dataset": job.snapshot.tag, "velatura.manifest": job.snapshot.manifest, **tags},
    )
    if judgement.state == "healthy":
        tracking.client.set_registered_model_alias(job.recipe.name, "challenger", version)
    tracking.log_value(run, "verdict.json", asdict(replace(judgement, run=run, version=version)))
    return version


def verdict_figures(judgement: Judgement) -> list[Figure]:
    """The kept checkpoint's key figures as metrics of their own: the runs table sorts metrics as numbers."""
    now = int(time.time() * 1000)
    known = {name: judgement.figures[key] for name, key in TAGGED.items() if key in judgement.figures}
    known["best_step"] = float(judgement.kept_step)
    if judgement.best_strength is not None:
        known["best_strength"] = judgement.best_strength
    return [Figure(f"verdict/{name}", value, judgement.kept_step, now) for name, value in known.items()]


def end_figures(job: Job, judgement: Judgement) -> list[Figure]:
    """What was measured after training, of the kept and the last checkpoint: what no pause has logged."""
    now, said = int(time.time() * 1000), {(figure.key, figure.step) for figure in read(job.spool)}
    measured = {judgement.last_step: judgement.last_figures, judgement.kept_step: judgement.figures}
    return [
        Figure(name, value, step, now)
        for step, figures in measured.items()
        for name, value in figures.items()
        if (name, step) not in said
    ]


def log_checkpoints(job: Job, tracking: Tracking, run: str, more: Sequence[Figure] = ()) -> None:
    """A logged model for each checkpoint that was looked at, with its figures: MLflow's models table is the curve."""
    said = [*read(job.spool), *more]
    file = job.recipe.train.adapter.files["weights"]
    for step in job.looked:
        if step:
            figures = [figure for figure in said if figure.step == step]
            name = f"{job.recipe.name}-step-{step:06d}"
            tags = {"velatura.key": job.key, "velatura.step": str(step), "velatura.manifest": job.snapshot.manifest}
            tracking.log_checkpoint(run, name, job.weights(step) / file, figures, tags)


TAGGED = {
    "learning": "probe/learning",
    "gap": "probe/gap",
    "copy_rate": "memorisation/copy_rate",
    "drift": "prior_drift/relative",
}
