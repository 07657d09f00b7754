"""The stages as Prefect tasks: three lines around a plain function each. The truth is in the store and in MLflow."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from augment.augment import Augmented
from captioning.caption import Captioned
from core.engine import Engine
from core.snapshot import Snapshot
from curation.curate import Curated, Ingested
from flows import stages
from flows.job import Job
from flows.judgement import Judgement
from flows.reaching import kept_trying
from flows.recipe import Recipe
from flows.tracking import Tracking
from store.store import Store

stage = task(cache_policy=NO_CACHE, persist_result=False, log_prints=False)


@stage
def ingest(recipe: Recipe, store: Store, engine: Engine) -> Ingested:
    """Read what is new or changed in the source."""
    return stages.read_pictures(recipe, store, engine)


@stage
def embed(recipe: Recipe, store: Store, engine: Engine) -> int:
    """Let the CLIPs that filters ask see every picture."""
    return stages.embed_pictures(recipe, store, engine)


@stage
def curate(recipe: Recipe, store: Store) -> Curated:
    """Refuse, group and split."""
    return stages.choose_pictures(recipe, store)


@stage
def caption(recipe: Recipe, store: Store, engine: Engine) -> Captioned:
    """Caption what has no caption yet."""
    return stages.write_captions(recipe, store, engine)


@stage
def augment(recipe: Recipe, store: Store, engine: Engine) -> Augmented:
    """Make what the recipe asks for."""
    return stages.make_pictures(recipe, store, engine)


@stage
def snapshot(store: Store) -> Snapshot:
    """Name this state of the dataset."""
    return store.snapshot()


@stage
def describe(job: Job, store: Store, tracking: Tracking, run: str) -> None:
    """Say what the data is that is trained on."""
    stages.describe_data(job, store, tracking, run)


@stage
def choose_steps(recipe: Recipe, store: Store, snapshot: Snapshot, tracking: Tracking) -> Recipe:
    """Let parts of a small set say how long to train."""
    from flows import folding  # with torch, which most runs do not need here

    return folding.chosen_by_folds(recipe, store, snapshot, tracking)


@stage
def encode(job: Job, store: Store) -> None:
    """Let the recipe's engine make what the trainer will ask for, where it is not this machine."""
    stages.encode_ahead(job, store)


@stage
def train(job: Job, tracking: Tracking, run: str) -> None:
    """Train in a process of its own."""
    stages.train_model(job, tracking, run)


@stage
def evaluate(job: Job, store: Store) -> Judgement:
    """Choose the checkpoint, draw, measure, and write the report."""
    from flows import judging  # with torch and diffusers, which a run that is done already does not need

    return judging.judge(job, store)


@stage
def register(job: Job, tracking: Tracking, run: str, judgement: Judgement) -> str:
    """Log files and figures, and make the model a version."""
    from flows import publishing

    address = tracking.home.tracking
    return kept_trying(address, lambda: publishing.publish(job, tracking, run, judgement))
