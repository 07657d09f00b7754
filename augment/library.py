"""The way to albumentations: imported at first use, without its question over the network whether it is up to date."""

import importlib
import os
from functools import cache
from typing import Any


@cache
def functional(area: str) -> Any:
    """A module of albumentations' pure functions: ``pixel``, ``crops`` or ``geometric``.

    They take drawn numbers and draw none themselves, so that what a block says it drew is all there is.
    """
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it is read at import
    return importlib.import_module(f"albumentations.augmentations.{area}.functional")
