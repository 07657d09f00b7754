"""Look at a source once; where it has changed, wait until it has come to rest, and bring the dataset up to date."""

from __future__ import annotations

from prefect import flow

from core.progress import say
from core.snapshot import Snapshot
from flows import stages
from flows.announcing import announce
from flows.lost_runs import end_lost
from flows.recipe import Recipe
from flows.remembered import Heard, Remembered
from flows.sources_to_dataset import sources_to_dataset
from flows.watching import Watch, listing


@flow(name="watch-sources", persist_result=False)
def watch_sources(recipe: Recipe, quiet: float = 30) -> Snapshot | None:
    """The new version of the dataset, None where the source is as it was when this was run last.

    ``quiet``: seconds without a further change. A server runs this every few minutes; what it changes is announced as
    the event `velatura.dataset.changed`, which starts `decide-and-train`. A lost run would keep its place, so that none
    is started: these are ended first.
    """
    end_lost()
    remembered = Remembered.of(recipe)
    before = listing(recipe.pictures)  # a source that is not there fails this run, and the schedule tries again
    if before == remembered.read():
        say("the source is as it was")
        announce_again(recipe)
        return None
    found: list[Snapshot] = []

    def act() -> None:
        seen = listing(recipe.pictures)  # before reading: what comes while it is read is the next look's change
        found.append(sources_to_dataset(recipe))
        remembered.write(seen)

    watch = Watch(recipe.pictures, act, every=max(quiet / 3, 0.01), quiet=quiet, known=remembered.read())
    watch.until_quiet()
    return found[-1] if found else None


def announce_again(recipe: Recipe) -> None:
    """Announce the newest version where it is owed: it was never told of, or nobody has decided on it for long."""
    versions = stages.open_store(recipe).snapshots()
    if versions and Heard.of(recipe).is_due(versions[-1]) and announce(recipe, versions[-1]):
        say(f"{versions[-1].tag} had been told to nobody, or nobody has decided on it: it is announced now")


if __name__ == "__main__":
    from flows.script import as_script

    as_script(watch_sources)
