"""Tell the Prefect server that a dataset has changed; deployments that wait for it are started by its triggers."""

from __future__ import annotations

import os
from pathlib import Path

from prefect.events import emit_event
from prefect.settings import get_current_settings

from core.snapshot import Snapshot
from curation.places import Place
from flows.embedded import TEMPORARY
from flows.home import Home
from flows.recipe import Recipe
from flows.remembered import Heard
from store.folder import absolute

EVENT = "velatura.dataset.changed"


def announce(recipe: Recipe, snapshot: Snapshot) -> bool:
    """Emit the event where there is a server to hear it; whether there was one.

    The payload is a hint: events are not heard in order, and whoever is started by one reads the newest data itself.
    """
    if not server():
        return False
    name = recipe.dataset or recipe.name
    emit_event(
        EVENT,
        resource={"prefect.resource.id": f"velatura.dataset.{name}", "prefect.resource.name": name},
        payload={
            "tag": snapshot.tag,
            "manifest": snapshot.manifest,
            "recipe": elsewhere(recipe).model_dump(mode="json"),
        },
    )
    Heard.of(recipe).announced(snapshot)
    return True


def server() -> str:
    """The address of the API of the server that this process works for; empty where it has none but its own."""
    return "" if TEMPORARY in os.environ else get_current_settings().api.url or ""


def elsewhere(recipe: Recipe) -> Recipe:
    """The same recipe, with whole paths, for a process in another folder."""
    changes: dict[str, object] = {"home": str(Home.of(recipe.home).root)}
    path = getattr(recipe.pictures, "path", None)
    if isinstance(path, str):
        changes["pictures"] = recipe.pictures.model_copy(update={"path": Place.of(path).uri})
    base = Path(recipe.base).expanduser()
    if base.exists():
        changes["base"] = str(base.absolute())
    if recipe.store:
        changes["store"] = absolute(recipe.store)
    there = recipe.model_copy(update=changes).model_dump(mode="json")
    for section, key in OTHERS:
        own = there[section]
        if isinstance(own, dict) and own.get(key):
            own[key] = whole(str(own[key]))
    if isinstance(masks := there["train"].get("masks"), dict):
        masks["folder"] = whole(masks["folder"])
    return Recipe.model_validate(there)


OTHERS = (("pictures", "regularisation"), ("train", "start_from"), ("samples", "clip"))
"""further keys that may name a file or a folder"""


def whole(place: str) -> str:
    """The same place from any folder: `folder`, or `local-dir:folder`; what is no relative path here stays."""
    kind, colon, path = place.rpartition(":")
    there = Path(path).expanduser()
    return f"{kind}{colon}{there.absolute()}" if path and not path.startswith("//") and there.exists() else place
