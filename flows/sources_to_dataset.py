"""A source of pictures in, a version of the dataset out: curated, split, captioned, augmented. Nothing is trained."""

from __future__ import annotations

from prefect import flow

from core.progress import say
from core.snapshot import Snapshot
from flows import stages
from flows.announcing import announce
from flows.dataset_to_model import prepare
from flows.recipe import Recipe
from flows.remembered import Heard


@flow(name="sources-to-dataset", persist_result=False)
def sources_to_dataset(recipe: Recipe) -> Snapshot:
    """Read what is new or changed; where that changed the dataset, the server is told, if there is one."""
    store, heard = stages.open_store(recipe), Heard.of(recipe)
    before = store.snapshots()
    heard.looking(before)
    _, snapshot = prepare(recipe, store)
    if not before or before[-1].manifest != snapshot.manifest:
        say(f"the dataset is now {snapshot.tag}: {snapshot.count} pictures, {snapshot.held_out} of them held out")
        announce(recipe, snapshot)
    elif heard.is_due(snapshot) and announce(recipe, snapshot):
        say(f"nothing has changed, but {snapshot.tag} had been told to nobody, or nobody has decided on it")
    else:
        say(f"nothing has changed: the dataset is still {snapshot.tag}")
    heard.unchanged(snapshot)
    return snapshot


if __name__ == "__main__":
    from flows.script import as_script

    as_script(sources_to_dataset)
