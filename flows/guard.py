"""The guard behind every trigger: what the store and MLflow know, put to `flows.deciding.decide`."""

from __future__ import annotations

import time

import numpy as np
import pyarrow.compute as pc
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from backbones.embedding import Embedder
from core.errors import TrackingError
from core.snapshot import Snapshot
from curation.versions import difference
from flows.deciding import Change, Decision, Trained, decide
from flows.home import Home
from flows.job import reader
from flows.recipe import Recipe
from flows.tracking import ASKED, SPEC, Tracking
from store.store import Store


def decide_for(recipe: Recipe, store: Store, newest: Snapshot) -> Decision:
    """Whether to train the recipe on ``newest``; `TrackingError` where MLflow does not say what was trained."""
    tracking, spec = Tracking(Home.of(recipe.home)), recipe.model_key("")
    try:
        key = recipe.model_key(newest.manifest)
        same = finished(tracking, f"tags.`velatura.key` = '{key}'") or finished(tracking, f"tags.`{ASKED}` = '{key}'")
        last = same or finished(tracking, f"tags.`{SPEC}` = '{spec}'")
    except MlflowException as error:
        raise TrackingError(f"MLflow at {tracking.home.tracking} does not say what was trained: {error}") from None
    change = None
    if same is None and last is not None:
        before = [one for one in store.snapshots() if one.manifest == last.manifest]
        change = change_between(recipe, store, before[-1], newest) if before else None
    return decide(recipe.retrain, newest.tag, same, last, change, time.time())


def finished(tracking: Tracking, which: str) -> Trained | None:
    """The latest finished run of those that a filter finds."""
    found: list[Run] = tracking.client.search_runs(
        [tracking.experiment],
        f"{which} and attributes.status = 'FINISHED'",
        max_results=1,
        order_by=["attributes.end_time DESC"],
    )
    if not found:
        return None
    run = found[0]
    tags = run.data.tags
    return Trained(
        run.info.run_name, tags["velatura.manifest"], tags["velatura.dataset"], (run.info.end_time or 0) / 1000
    )


def change_between(recipe: Recipe, store: Store, before: Snapshot, after: Snapshot) -> Change:
    """What became of the kept real pictures; CLIP vectors are only asked for where the policy has a limit for them."""
    found = difference(store, before.tag, after.tag).counts
    then, now = groups(store, before), groups(store, after)
    altered = len(now.keys() ^ then.keys()) - found["changed"]  # a changed file is an old content and a new one
    new = set(now.values()) - {group for content, group in now.items() if content in then}
    return Change(
        new_groups=len(new),
        changed=max(altered, 0) / max(len(then), 1),
        captions_edited=found["recaptioned"],
        drift=drift_between(recipe, store, before, after) if recipe.retrain.drift is not None else None,
    )


def groups(store: Store, snapshot: Snapshot) -> dict[str, str]:
    """The group of each kept real picture by its content, so that a picture that was only renamed is none the newer."""
    rows = store.columns("records", "sha256", "group", "depth", "verdict", tag=snapshot.tag)
    rows = rows.filter((pc.field("depth") == 0) & (pc.field("verdict") == "kept"))
    contents, named = (rows[name].to_pylist() for name in ("sha256", "group"))
    return {content: group or content for content, group in zip(contents, named, strict=True)}


def drift_between(recipe: Recipe, store: Store, before: Snapshot, after: Snapshot) -> float:
    """``|m1 - m0|^2 / (1 - |m0|^2)`` for the means m of unit CLIP vectors: how far the pictures as a whole have moved.

    The denominator is the mean squared distance of the earlier pictures from their own mean.
    """
    embedder = Embedder.named(recipe.samples.clip, store.cache("embeddings"))
    means = []
    for snapshot in (before, after):
        kept = [r for r in store.records(tag=snapshot.tag) if r.verdict == "kept" and r.depth == 0]
        if not kept:
            return float("inf")
        means.append(embedder.pictures(kept, reader(store)).astype(np.float64).mean(axis=0))
    spread = max(1 - float(means[0] @ means[0]), 1e-6)
    return float(((means[1] - means[0]) ** 2).sum()) / spread
