"""What looks that are minutes apart must know of each other: small files in the data folder."""

from __future__ import annotations

import json
import time
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

    An event is heard once at most: a server that is away when it is sent, or is ended before it acts, never tells.
    """

    path: Path

    @classmethod
    def of(cls, recipe: Recipe) -> Heard:
        """Of a recipe, as the guard would train it."""
        return cls(Home.of(recipe.home).root / "watch" / f"{recipe.name}-{recipe.model_key('')}.heard.json")

    def decided(self, snapshot: Snapshot) -> None:
        """The guard has said yes or no to this version."""
        self._keep({"decided": snapshot.manifest})

    def announced(self, snapshot: Snapshot) -> None:
        """The server was told of this version now."""
        self._keep({"announced": snapshot.manifest, "at": time.time()})

    def is_due(self, snapshot: Snapshot) -> bool:
        """Whether this version should be announced again: told of, never decided on, and that a while ago."""
        said = _read(self.path)
        if said.get("decided") == snapshot.manifest or said.get("announced") != snapshot.manifest:
            return False
        at = said.get("at")
        return not isinstance(at, int | float) or time.time() - at > AGAIN

    def _keep(self, more: dict[str, object]) -> None:
        write_text(self.path, json.dumps(_read(self.path) | more) + "\n")


def _read(path: Path) -> dict[str, object]:
    """What stands in a file; nothing where it is not there or damaged."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
