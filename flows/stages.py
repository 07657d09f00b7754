"""The stages of a run as plain functions: what a Prefect task calls, and what a test can call without Prefect."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from augment.augment import Augmented, augment
from augment.generator import Generator
from augment.transform import Transform
from backbones.embedding_apart import embed
from captioning.caption import Captioned, caption
from core.engine import HERE, Engine
from core.errors import DiskFull, NotEnoughData, TrainingFailed
from core.progress import say
from core.snapshot import Snapshot
from curation.curate import Curated, Ingested, curate, ingest
from flows.dataset_choice import chosen
from flows.devices import held
from flows.following import Following
from flows.home import Home
from flows.inspecting import Quality
from flows.job import Job, reader
from flows.pages.data import write_card
from flows.reaching import kept_trying
from flows.recipe import Recipe
from flows.spool import Outbox
from flows.tracking import ASKED, SPEC, Tracking
from store.carried import Carried
from store.folder import absolute, point
from store.lock import exclusive
from store.store import Store

ROOM = 64 << 20
"""bytes that must be free before anything begins: databases, caches and two checkpoints of the smallest run"""


def open_store(recipe: Recipe) -> Store:
    """The store of the recipe's dataset, made where there is none; `DiskFull` where there is no room to begin.

    A recipe that names a snapshot needs one that is there; a `StoreError` lists those that are.
    """
    for block in (*recipe.augment.transforms, *recipe.augment.generators):
        block.check()  # a missing model is told before anything is read
    root = Home.of(recipe.home).root
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free
    if free < ROOM:
        raise DiskFull(f"{root} has {free >> 20} MB free; a run needs at least {ROOM >> 20} MB")
    home, name = Home.of(recipe.home), recipe.dataset or recipe.name
    if recipe.store:
        point(home.store(name), absolute(f"{recipe.store.rstrip('/')}/{name}"))
    return Store.open(home.store(chosen(home, name) if recipe.snapshot else name))


def read_pictures(recipe: Recipe, store: Store, engine: Engine = HERE) -> Ingested:
    """Read what is new or changed in the source, and measure it."""
    return ingest(store, recipe.pictures, recipe.filters, reading=recipe.reading, engine=engine)


def embed_pictures(recipe: Recipe, store: Store, engine: Engine = HERE) -> int:
    """What the CLIPs see that filters and split will ask for, made beforehand; for how many pictures.

    Captioners ask later, and only for what is kept.
    """
    asked = [recipe.split.alike.clip] if recipe.split.embedding is not None else []
    clips = dict.fromkeys([clip for one in recipe.filters for clip in one.clips] + asked)
    if not clips:
        return 0
    records = [r for r in store.records() if r.depth == 0 and r.width and r.source == recipe.pictures.name]
    for clip in clips:
        embed(clip, records, reader(store), store.cache("embeddings"), engine)
    return len(records)


def choose_pictures(recipe: Recipe, store: Store) -> Curated:
    """Refuse, group and split what was read; `NotEnoughData` where nothing is left."""
    sources = [recipe.pictures.name]
    curated = curate(store, recipe.filters, recipe.split, sources=sources)
    if curated.kept == 0:
        reasons = ", ".join(f"{count} {code}" for code, count in sorted(curated.refused.items())) or "none was found"
        raise NotEnoughData(f"no picture of {recipe.pictures.name} can be used: {reasons}")
    return curated


def write_captions(recipe: Recipe, store: Store, engine: Engine = HERE) -> Captioned:
    """Caption what has no caption of this captioner; what a person wrote stays."""
    if engine.apart:  # captioners ask for the vectors of the whole set before they say a word
        kept = [record for record in store.records() if record.verdict == "kept" and record.depth == 0]
        for clip in recipe.captioner.clips:
            embed(clip, kept, reader(store), store.cache("embeddings"), engine)
    return caption(store, recipe.captioner, reader(store), base=recipe.base, engine=engine)


def make_pictures(recipe: Recipe, store: Store, engine: Engine = HERE) -> Augmented:
    """Make what the recipe's transforms and generators ask for."""
    asked = recipe.augment
    blocks: list[Transform | Generator] = [*asked.transforms, *asked.generators]
    read = reader(store)
    inspector = Quality.of(recipe.filters, read, Carried(store, "embeddings"))
    return augment(
        store,
        blocks,
        asked.copies,
        asked.seed,
        read,
        depth=asked.depth,
        share=asked.share,
        acceptance=asked.accept,
        inspector=inspector,
        engine=engine,
    )


def prepare_job(recipe: Recipe, snapshot: Snapshot) -> Job:
    """The run of this recipe on this data. Equal recipe and equal data: the same folder, so nothing is done twice."""
    key = recipe.model_key(snapshot.manifest)
    return Job(Home.of(recipe.home).run(f"{recipe.name}-{key}"), key, recipe, snapshot)


@contextmanager
def alone(job: Job) -> Iterator[None]:
    """Wait until no other process works on this run."""
    job.folder.mkdir(parents=True, exist_ok=True)
    with exclusive(job.folder / ".lock", say):
        yield


def begin_run(job: Job, tracking: Tracking, asked: Recipe | None = None) -> str:
    """The MLflow run of a job, with parameters and dataset; an interrupted one goes on.

    ``asked``: the recipe as it was written, where the job's number of steps was chosen by parts; the guard asks for it.
    """
    asked = asked or job.recipe
    tags = {
        "velatura.recipe": job.recipe.name,
        "velatura.base": job.recipe.base,
        "velatura.dataset": job.snapshot.tag,
        "velatura.manifest": job.snapshot.manifest,
        SPEC: asked.model_key(""),
        ASKED: asked.model_key(job.snapshot.manifest),
    }

    def begin() -> str:
        known = tracking.find(job.key)
        run = tracking.begin(job.key, job.folder.name, tags, job.recipe.flat())
        if known is None or not known.inputs.dataset_inputs:
            tracking.log_snapshot(run, job.snapshot)
        return run

    return kept_trying(tracking.home.tracking, begin)


def describe_data(job: Job, store: Store, tracking: Tracking, run: str) -> None:
    """The dataset card of the run's snapshot, in the run's folder and in MLflow; a run that fails has it, too."""
    for path in write_card(store, job.snapshot, job.folder, job.recipe.dataset or job.recipe.name).values():
        kept_trying(tracking.home.tracking, partial(tracking.log_file, run, path))


def encode_ahead(job: Job, store: Store) -> None:
    """Latents and text states by the recipe's engine; where that is this machine, the trainer makes them itself."""
    if job.finished:
        return
    with job.recipe.engine.started() as engine:
        if engine.apart:
            from flows.encoding_ahead import encode  # with torch

            encode(job, store, engine)


def train_model(job: Job, tracking: Tracking, run: str) -> None:
    """Train in a process of its own, which ends when this one does; figures reach MLflow as they come.

    `TrainingFailed` says why it stopped and what was kept; running again goes on from there.
    """
    if job.finished:
        outbox = Outbox(job.spool)
        kept_trying(tracking.home.tracking, lambda: tracking.deliver(run, outbox))
        return
    job.write()
    job.plan.unlink(missing_ok=True)
    following = Following(job, tracking, run)
    command = [sys.executable, "-m", "flows.trainer", str(job.folder)]
    errors = job.folder / "trainer.log"
    root = Path(__file__).parents[1]
    with errors.open("wb") as log, held(Home.of(job.recipe.home), job.recipe.train.processes) as device:
        environment = {**_environment(root), **device}
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment)
        try:
            while process.poll() is None:
                following.look()
                time.sleep(0.25)
        finally:
            if process.poll() is None:
                process.terminate()  # the trainer saves a checkpoint
                process.wait()
            assert process.stdin is not None
            process.stdin.close()
    if process.returncode != 0:
        tracking.drain(run, Outbox(job.spool))
        raise _failure(process.returncode, errors)
    following.to_the_end()


def _environment(root: Path) -> dict[str, str]:
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def _failure(status: int, log: Path) -> Exception:
    """What the trainer's end means, in words."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    last = lines[-1] if lines else "it said nothing"
    if last.startswith("DiskFull:"):
        return DiskFull(last.partition(": ")[2])
    if status < 0:
        return TrainingFailed(f"the trainer was ended by signal {-status}; run again and it goes on. Its words: {log}")
    return TrainingFailed(f"{last.partition(': ')[2] or last}\n(all of its words: {log})")
