"""Read the source, and train where the data has changed enough: the one flow behind schedule, event and `watch`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from prefect import flow
from prefect.logging import get_run_logger

from core.errors import TrackingError, TrainingFailed
from core.progress import say
from core.snapshot import Snapshot
from flows import stages
from flows.dataset_to_model import dataset_to_model, prepare
from flows.deciding import Decision
from flows.home import Home
from flows.lost_runs import end_lost
from flows.recipe import Recipe
from flows.remembered import Heard, Owed
from flows.summary import Outcome

if TYPE_CHECKING:
    from flows.registry import Promotion

CRASHES = 3
"""times that a server begins a run again whose process was killed"""


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided, and the model if one was trained."""

    snapshot: Snapshot
    decision: Decision
    outcome: Outcome | None = None
    promotion: Promotion | None = None
    """whether it became the champion, and why"""

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        model = self.outcome.as_json() if self.outcome else None
        return {
            "dataset": self.snapshot.tag,
            "manifest": self.snapshot.manifest,
            **self.decision.as_json(),
            "model": model,
            "promotion": asdict(self.promotion) if self.promotion else None,
        }


@flow(name="decide-and-train", persist_result=False)
def decide_and_train(recipe: Recipe, only_ask: bool = False, crashes: int = 0) -> Decided:
    """Bring the dataset up to date, ask the guard, and train on the newest data if it says so.

    ``only_ask``: say what would be done, and do not train. ``crashes``: how often in a row a run of it was ended by
    force before this one, which a server begins again in its place; `TrainingFailed` where that was too often.
    """
    if crashes > CRASHES:
        words = f"ended by force {crashes} times in a row, so it is not begun again: look at its logs (memory?)"
        raise TrainingFailed(f"{words}, then start it by hand; it goes on from its checkpoint")
    assert recipe.family  # a missing base is told before anything is read
    end_lost()  # where other pools are full of what is lost, nobody else would look
    from flows.guard import decide_for  # with MLflow: only when the run has begun, which is told when this is imported

    store, heard = stages.open_store(recipe), Heard.of(recipe)
    if not recipe.snapshot:
        heard.looking(store.snapshots())
    newest = store.at(recipe.snapshot) if recipe.snapshot else prepare(recipe, store)[1]
    decision = decide_for(recipe, store, newest)
    if not (only_ask and decision.train):  # what is only asked is not done: others are still to hear of it
        heard.decided(newest)
    words = f"{'training' if decision.train else 'not training'}: {decision.reason}"
    say(words)
    get_run_logger().info(words)
    owed = Owed.of(recipe)
    if only_ask or not (decision.train or owed.manifest):
        return Decided(newest, decision)
    outcome = None
    if decision.train:
        if owed.manifest:
            promotion(recipe, owed)  # of the model before, or it would never be held
        owed.begin(newest)
        outcome = dataset_to_model(recipe.model_copy(update={"snapshot": newest.tag}))
    return Decided(newest, decision, outcome, promotion(recipe, owed))


def promotion(recipe: Recipe, owed: Owed) -> Promotion:
    """Hold the contest that is owed; where that is not possible now, it stays owed to whoever decides next."""
    from flows.contest import promote_if_better  # with torch
    from flows.registry import Promotion

    try:
        found = promote_if_better(Home.of(recipe.home), recipe.name, owed.manifest)
        owed.done()
    except TrackingError as error:  # the model is trained and registered all the same
        found = Promotion(False, str(error))
    words = f"{'promoted' if found.allowed else 'not promoted'}: {found.reason}"
    get_run_logger().info(words)
    return found


if __name__ == "__main__":
    from flows.script import as_script

    as_script(decide_and_train)
