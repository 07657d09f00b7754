"""What was found of a run's remedies, written down: a table, a page, samples, a recipe; and MLflow's child runs."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import yaml

from core.files import replacing, write_text
from core.hashing import digest
from evaluation.grid import grid
from evaluation.metric import Measured, logged
from flows.pages.remedies import page
from flows.publishing import TAGGED
from flows.reaching import kept_trying
from flows.remedying import Remedies, Tried
from flows.retraining import again_of
from flows.spool import Figure, read
from flows.tracking import Tracking


def written(found: Remedies) -> dict[str, Path]:
    """Everything in the run's folder, by what it is."""
    folder = found.job.folder / "remedies"
    files = {name: folder / file for name, file in (("recipe", "recipe.yaml"), ("table", "remedies.json"))}
    recipe = yaml.safe_dump(again_of(found.job), sort_keys=False, allow_unicode=True)
    write_text(files["recipe"], recipe)
    write_text(files["table"], json.dumps([one.as_json() for one in found.tried], indent=1))
    if found.shown is not None:
        files["samples"] = folder / "samples.png"
        with replacing(files["samples"]) as temporary:
            temporary.write_bytes(grid(found.shown.prompts, found.shown.columns, found.shown.pictures))
    files["page"] = folder / "remedies.html"
    write_text(files["page"], page(found, files["recipe"]))
    return files


def log(found: Remedies, files: Mapping[str, Path], parent: str, tracking: Tracking) -> None:
    """Each as a run of its own below the run that it helps, with the same figures; and the files beside the report."""
    for one in found.tried[1:]:
        kept_trying(tracking.home.tracking, partial(_log_child, found, one, parent, tracking))
    for name in ("table", "page", "samples"):
        if name in files:
            kept_trying(tracking.home.tracking, partial(tracking.log_file, parent, files[name], "remedies"))


def _log_child(found: Remedies, one: Tried, parent: str, tracking: Tracking) -> None:
    figures, known = logged(one.measured), key_figures(one.measured)
    tags = {"velatura.remedy": one.kind, "velatura.verdict": one.verdict.state}
    tags |= {f"velatura.{name}": f"{value:.3f}" for name, value in known.items()}
    said: set[tuple[str, int]] = set()
    if one.retrained is None:
        key, step = digest("remedy", found.job.key, found.step, one.kind, one.key), found.step
        run = tracking.begin_child(parent, key, f"{found.job.folder.name}: {one.name}", tags)
    else:
        run, step = one.retrained.run, one.step
        said = {(figure.key, figure.step) for figure in read(one.retrained.job.spool)}
        tags |= {"velatura.best_step": str(step), "velatura.weights": one.use}
    tracking.tag(run, tags)
    ours = figures | {f"verdict/{name}": value for name, value in known.items()}
    there, now = tracking.client.get_run(run).data.metrics, int(time.time() * 1000)
    new = {key: value for key, value in ours.items() if (key, step) not in said and there.get(key) != value}
    tracking.log_figures(run, [Figure(key, value, step, now) for key, value in new.items()])
    if one.retrained is None:
        tracking.end(run)


def key_figures(measured: Mapping[str, Measured]) -> dict[str, float]:
    """Those that the runs table has columns for."""
    figures = logged(measured)
    return {name: figures[key] for name, key in TAGGED.items() if key in figures}
