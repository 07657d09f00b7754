"""The ladder as a flow: short runs at rising learning rates, their page, and what to take."""

from prefect import flow

from flows.home import Home
from flows.ladder import RATES, Climbed, climb
from flows.pages.ladder import write_chart
from flows.reaching import kept_trying
from flows.recipe import Recipe
from flows.tracking import Tracking


@flow(name="learning-rate-ladder", persist_result=False)
def learning_rate_ladder(recipe: Recipe, rates: tuple[float, ...] = RATES, ranks: tuple[int, ...] = ()) -> Climbed:
    """Find the learning rate, then of some ranks the best one at it, and log the page with the ladder's run.

    ``rates``: learning rates; the climb ends where new pictures are surely known worse. ``ranks``: none are tried if
    empty.
    """
    found = climb(recipe, rates, ranks)
    tracking, page = Tracking(Home.of(recipe.home)), write_chart(found)
    kept_trying(tracking.home.tracking, lambda: tracking.log_file(found.run, page))
    return found


if __name__ == "__main__":
    from flows.script import as_script

    as_script(lambda recipe: learning_rate_ladder(recipe).recommendation)
