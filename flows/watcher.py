"""Beside a server: a folder that changes is looked at now, instead of when the schedule comes to it.

`python -m flows.watcher RECIPE`, which `velatura up RECIPE` keeps running.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from prefect.deployments import run_deployment

from flows.noticing import noticing
from flows.recipe import read_recipe

LOOK = "watch-sources/watch-sources"
REST = 5.0
"""seconds from the first sign of a change to the look, which then waits by itself until the source has come to rest"""
EVER = 3600.0


def keep_watching(recipe: Path) -> None:
    """Until something from outside ends it. Where the source does not tell of changes, the schedule alone lists it.

    What changes during a look is seen after it. A server that is away ends this; whoever started it starts it again,
    and it begins with a look.
    """
    source = read_recipe(recipe).pictures
    told = noticing(source)
    if told is None:  # no watches are left on this machine, say: no reason to end whoever keeps this running
        print(f"{source.name} does not tell of changes; the schedule of {LOOK} lists it", flush=True)
    while told is None:
        time.sleep(EVER)
    while True:
        print(f"{source.name}: {LOOK} is started", flush=True)
        run_deployment(LOOK, as_subflow=False)
        while not told.wait(EVER):
            pass
        time.sleep(REST)


if __name__ == "__main__":
    keep_watching(Path(sys.argv[1]))
