"""What a judged run tells MLflow: pictures by step, files, figures and tags, a model per checkpoint, the version."""

import time
from pathlib import Path

import numpy as np
from PIL import Image

from flows.job import Job
from flows.judgement import Judgement
from flows.spool import Figure, read
from flows.tracking import Tracking


def publish(job: Job, tracking: Tracking, run: str, judgement: Judgement) -> str:
    """Log pictures by step, files, figures and tags, and register the kept checkpoint; the version's number."""
    for step in job.looked:
        for number, path in enumerate(sorted(job.step_folder(step).glob("sample-*.png"))):
            with Image.open(path) as image:
                tracking.log_picture(run, f"samples/prompt{number}", step, np.asarray(image.convert("RGB")))
    log_checkpoints(job, tracking, run)
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
    tracking.log_figures(run, verdict_figures(judgement))
    version = tracking.register(
        job.recipe.name,
        run,
        "weights",
        {"velatura.dataset": job.snapshot.tag, "velatura.manifest": job.snapshot.manifest, **tags},
    )
    if judgement.state == "healthy":
        tracking.client.set_registered_model_alias(job.recipe.name, "challenger", version)
    tracking.end(run)
    return version


def verdict_figures(judgement: Judgement) -> list[Figure]:
    """The kept checkpoint's key figures as metrics of their own: the runs table sorts metrics as numbers."""
    now = int(time.time() * 1000)
    known = {name: judgement.figures[key] for name, key in TAGGED.items() if key in judgement.figures}
    known["best_step"] = float(judgement.kept_step)
    return [Figure(f"verdict/{name}", value, judgement.kept_step, now) for name, value in known.items()]


def log_checkpoints(job: Job, tracking: Tracking, run: str) -> None:
    """A logged model for each checkpoint that was looked at, with its figures: MLflow's models table is the curve."""
    said = read(job.spool)
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
