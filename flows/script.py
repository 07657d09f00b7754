"""A flow as a script: `python flows/dataset_to_model.py recipes/openmoji.yaml train.steps=20`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from core.errors import RecipeError, VelaturaError
from flows.console import live_progress
from flows.embedded import start_prefect
from flows.home import Home
from flows.recipe import Recipe, read_recipe


def as_script(flow: Callable[[Recipe], Any]) -> None:
    """Run a flow with the recipe that the command line names, and print what it returns."""
    try:
        if len(sys.argv) < 2:
            raise RecipeError(f"name a recipe: python {sys.argv[0]} recipes/openmoji.yaml [KEY=VALUE]...")
        recipe = read_recipe(Path(sys.argv[1]), sys.argv[2:])
        start_prefect(Home.of(recipe.home)).wait()
        with live_progress():
            found = flow(recipe)
        Console(highlight=False, soft_wrap=True).print(found)
    except VelaturaError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)
