"""The whole way: a source of pictures in, a registered model and its report out."""

import time
from functools import partial

from prefect import flow

from core.errors import VelaturaError
from core.progress import say
from core.snapshot import Snapshot
from flows import stage_runs, stages, tasks
from flows.home import Home
from flows.judgement import Judgement
from flows.reaching import kept_trying
from flows.recipe import Recipe
from flows.stage_runs import Laps
from flows.summary import Outcome, Prepared
from flows.tracking import Tracking
from store.store import Store


@flow(name="dataset-to-model", persist_result=False, validate_parameters=True)
def dataset_to_model(recipe: Recipe) -> Outcome:
    """Curate, caption, augment, train, evaluate and register what the recipe says; what is done is not done again."""
    began = time.monotonic()
    assert recipe.family  # a missing base is told before anything is read
    store = stages.open_store(recipe)
    prepared, snapshot = (None, store.at(recipe.snapshot)) if recipe.snapshot else prepare(recipe, store)
    tracking = Tracking(Home.of(recipe.home))
    asked = recipe
    if recipe.split.k_fold:
        recipe = tasks.choose_steps(recipe, store, snapshot, tracking)
    job = stages.prepare_job(recipe, snapshot)
    with stages.alone(job):
        already = Judgement.read(job)
        if already is not None and already.version:
            judgement, fresh = already, False
        else:
            run = stages.begin_run(job, tracking, asked)
            try:
                if asked.split.k_fold:
                    stage_runs.adopt_parts(asked, snapshot, tracking, run)
                tasks.describe(job, store, tracking, run)
                laps = Laps()
                tasks.encode(job, store)
                tasks.train(job, tracking, run)
                laps.end("train")
                judgement, fresh = tasks.evaluate(job, store), True
                laps.end("evaluate")
                version = tasks.register(job, tracking, run, judgement)
                laps.end("register")
                stage_runs.log(job, tracking, run, stage_runs.stages_of(job, laps, judgement, version))
                kept_trying(tracking.home.tracking, partial(tracking.end, run))
                judgement = judgement.registered(job, run, version)
            except (VelaturaError, KeyboardInterrupt):
                tracking.fail(run)
                raise
    seconds = time.monotonic() - began
    return Outcome(job, prepared, judgement, fresh=fresh, seconds=seconds)


def prepare(recipe: Recipe, store: Store) -> tuple[Prepared, Snapshot]:
    """Bring the dataset up to date with the recipe's source, and name the state that it is in then."""
    with store.writer(say), recipe.engine.started() as engine:
        laps = Laps()
        ingested = tasks.ingest(recipe, store, engine)
        laps.end("ingest")
        tasks.embed(recipe, store, engine)
        curated = tasks.curate(recipe, store)
        laps.end("curate")
        captioned = tasks.caption(recipe, store, engine)
        laps.end("caption")
        augmented = tasks.augment(recipe, store, engine)
        laps.end("augment")
        prepared, snapshot = Prepared(ingested, curated, captioned, augmented), tasks.snapshot(store)
        stage_runs.keep(recipe, snapshot, laps, prepared)
        return prepared, snapshot


if __name__ == "__main__":
    from flows.script import as_script
    from flows.summary import in_words

    as_script(lambda recipe: in_words(dataset_to_model(recipe)))
