"""A run that has nothing to do is told at once: the same checks as in the flow, without starting Prefect for them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from core.files import write_text
from core.hashing import digest
from flows import stages
from flows.home import Home
from flows.judgement import Judgement
from flows.recipe import Recipe
from flows.summary import Outcome, Prepared
from flows.watching import listing


@dataclass(frozen=True, slots=True)
class LastTime:
    """What a recipe's source listed when a run of it was last through: a hint that another would find nothing to do."""

    path: Path
    seen: str
    """the listing now; empty where the recipe reads no source, or chooses its steps by shorter runs"""

    @classmethod
    def of(cls, recipe: Recipe) -> LastTime:
        """Lists the source; `SourceError` where it is not there."""
        key = digest(recipe.model_dump(mode="json"))
        path = Home.of(recipe.home).root / "watch" / f"{recipe.name}-{key}.run.json"
        return cls(path, "" if recipe.snapshot or recipe.split.k_fold else listing(recipe.pictures))

    @property
    def is_same(self) -> bool:
        """Whether the source is as it was then."""
        try:
            return bool(self.seen) and json.loads(self.path.read_text()) == self.seen
        except (OSError, ValueError):
            return False

    def through(self) -> None:
        """A run is through that began after the listing."""
        if self.seen:
            write_text(self.path, json.dumps(self.seen) + "\n")


def unchanged(recipe: Recipe) -> Outcome | None:
    """What came of the run that has trained this recipe on this data; None where there is none, or it is not judged.

    Everything is looked at that a run looks at, and what little there is to do (a picture that could not be read is
    tried again) is done; nothing is trained. Call it where the source is as it was, so that it takes a second.
    """
    store = stages.open_store(recipe)  # imports LanceDB, which takes seconds that are no part of the run's
    began = time.monotonic()
    with store.writer():
        ingested = stages.read_pictures(recipe, store)
        stages.embed_pictures(recipe, store)
        curated = stages.choose_pictures(recipe, store)
        captioned, augmented = stages.write_captions(recipe, store), stages.make_pictures(recipe, store)
        snapshot = store.snapshot()
    job = stages.prepare_job(recipe, snapshot)
    judgement = Judgement.read(job)
    if judgement is None or not judgement.version:
        return None
    prepared = Prepared(ingested, curated, captioned, augmented)
    return Outcome(job, prepared, judgement, fresh=False, seconds=time.monotonic() - began)
