"""What looks that are minutes apart must know of each other: small files in the data folder."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.files import write_text
from core.hashing import digest
from core.snapshot import Snapshot
from flows.home import Home
from flows.recipe import Recipe

AGAIN = 1800.0
"""seconds after which a change that nobody has decided on is announced again"""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The listing of a source that was dealt with last."""

    path: Path

    @classmethod
    def of(cls, recipe: Recipe) -> Remembered:
        """Of a recipe's dataset and source."""
        name = recipe.dataset or recipe.name
        source = digest(recipe.pictures.model_dump(mode="json"), recipe.pictures.kind)
        return cls(Home.of(recipe.home).root / "watch" / f"{name}-{source}.json")

    def read(self) -> str:
        """Empty where nothing was remembered yet, or what was is damaged."""
        return str(_read(self.path).get("listing", ""))

    def write(self, seen: str) -> None:
        """Remember a listing."""
        write_text(self.path, json.dumps({"listing": seen}) + "\n")


@dataclass(frozen=True, slots=True)
class Heard:
    """Whether a dataset's newest version was announced, and whether the guard has decided on it since.

    An event is heard once at most: a server that is away when it is sent, or is ended before it acts, never tells. And
    a process that ends when it has made a version tells nobody, so that it is written down before it makes one.
    """

    path: Path

    @classmethod
    def of(cls, recipe: Recipe) -> Heard:
        """Of a recipe, as the guard would train it."""
        return cls(Home.of(recipe.home).root / "watch" / f"{recipe.name}-{recipe.model_key('')}.heard.json")

    def looking(self, versions: Sequence[Snapshot]) -> None:
        """A look begins, with these versions there: what it makes of them is to be told, by a later one if it ends.

        What a look before it began with, and did not come to tell, is kept.
        """
        if _read(self.path).get("before") is None:
            self._keep({"before": versions[-1].manifest if versions else ""})

    def unchanged(self, snapshot: Snapshot) -> None:
        """A look has found what was there before it: nothing is to be told, unless that is of a look before."""
        if _read(self.path).get("before") == snapshot.manifest:
            self._keep({"before": None})

    def decided(self, snapshot: Snapshot) -> None:
        """The guard has said yes or no to this version."""
        self._keep({"decided": snapshot.manifest, "before": None})

    def announced(self, snapshot: Snapshot) -> None:
        """The server was told of this version now."""
        self._keep({"announced": snapshot.manifest, "at": time.time(), "before": None})

    def is_due(self, snapshot: Snapshot) -> bool:
        """Whether this version should be announced: a look made it and told nobody, or nobody decided on it for long.

        A version that no look of this recipe made is another recipe's to tell of.
        """
        said = _read(self.path)
        if said.get("decided") == snapshot.manifest:
            return False
        if said.get("announced") != snapshot.manifest:
            return said.get("before") not in (None, snapshot.manifest)
        at = said.get("at")
        return not isinstance(at, int | float) or time.time() - at > AGAIN

    def _keep(self, more: dict[str, object]) -> None:
        write_text(self.path, json.dumps(_read(self.path) | more) + "\n")


@dataclass(frozen=True, slots=True)
class Owed:
    """That a model which is trained by itself is to be held against the champion.

    Written before it is trained, so that whoever comes next does it where the process ends between the two.
    """

    path: Path

    @classmethod
    def of(cls, recipe: Recipe) -> Owed:
        """Of a recipe's model: versions of one name have one champion."""
        return cls(Home.of(recipe.home).root / "watch" / f"{recipe.name}.contest.json")

    @property
    def manifest(self) -> str:
        """Of the data that the model is trained on; empty where nothing is owed."""
        return str(_read(self.path).get("manifest", ""))

    def begin(self, snapshot: Snapshot) -> None:
        """A model of this data is going to be trained."""
        write_text(self.path, json.dumps({"manifest": snapshot.manifest}) + "\n")

    def done(self) -> None:
        """The contest was held, or there was nobody to hold it with."""
        write_text(self.path, json.dumps({"manifest": ""}) + "\n")


def _read(path: Path) -> dict[str, object]:
    """What stands in a file; nothing where it is not there or damaged."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
