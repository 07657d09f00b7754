"""The registry: which version of a model is the champion, which is the challenger, and how one becomes the other.

A healthy model is the `challenger` as soon as it is registered. It becomes the `champion` if its verdict allows that
and it is better on held-out pictures that neither of the two was trained on. Who was champion before is remembered.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from core.errors import TrackingError
from evaluation.metric import Figure
from flows.home import Home
from flows.tracking import Tracking

CHAMPION, CHALLENGER = "champion", "challenger"
CHAMPIONS = "velatura.champions"
"""tag of a registered model: the versions that were champion, the present one last, as JSON"""
WORSE = 0.02
"""learning by which a new champion may turn out worse at the end of the interval: 2 % of the error"""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a registered model."""

    name: str
    number: str
    run: str
    """MLflow's id"""
    verdict: str
    dataset: str
    manifest: str
    aliases: tuple[str, ...]

    @property
    def words(self) -> str:
        """Such as ``openmoji version 3``."""
        return f"{self.name} version {self.number}"


@dataclass(frozen=True, slots=True)
class Promotion:
    """Whether a version may become the champion, and why."""

    allowed: bool
    reason: str


def judged(challenger: Version, champion: Version | None, better: Figure | None) -> Promotion:
    """Whether ``challenger`` may take ``champion``'s place.

    ``better`` is by how much it learned more on the same held-out pictures, with its 95 % interval; None where that
    could not be measured.
    """
    if challenger.verdict != "healthy":
        return Promotion(False, f"the verdict on {challenger.words} is {challenger.verdict or 'missing'}, not healthy")
    if champion is None:
        return Promotion(True, f"{challenger.words} is healthy, and there is no champion yet")
    if champion.number == challenger.number:
        return Promotion(False, f"{challenger.words} is the champion already")
    if better is None:
        return Promotion(False, f"no held-out picture is left that neither it nor {champion.words} was trained on")
    told = f"learning {better} beside {champion.words}, on the same held-out pictures"
    if better.value <= 0 or not better.low > -WORSE:
        return Promotion(False, f"{challenger.words} does not surely beat the champion: {told}")
    return Promotion(True, f"{challenger.words} beats the champion: {told}")


class Registry:
    """The registered models of one home."""

    def __init__(self, home: Home) -> None:
        self.tracking = Tracking(home)
        self.client = self.tracking.client

    def named(self, text: str, default: str = CHAMPION) -> Version:
        """``NAME@champion``, ``NAME@3`` or ``NAME``, which means its ``default``; a `TrackingError` lists them."""
        name, _, which = text.partition("@")
        which = (which or default).removeprefix("v")
        versions = self.versions(name)
        for one in versions:
            if which == one.number or which in one.aliases:
                return one
        there = ", ".join(f"{one.number}{''.join(f' ({alias})' for alias in one.aliases)}" for one in versions)
        raise TrackingError(f"the model {name} has no version {which}; there are: {there}")

    def versions(self, name: str) -> list[Version]:
        """All versions of a model, the newest first; `TrackingError` that names the models there are."""
        try:
            self.client.get_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise TrackingError(f"MLflow at {self.tracking.home.tracking} does not answer: {error}") from None
            known = ", ".join(sorted(model.name for model in self.client.search_registered_models())) or "none yet"
            raise TrackingError(f"there is no registered model {name!r}; there are: {known}") from None
        found = self.client.search_model_versions(f"name = '{name}'")
        aliases: dict[str, list[str]] = {}
        for alias, number in self.client.get_registered_model(name).aliases.items():
            aliases.setdefault(str(number), []).append(str(alias))
        versions = [version_of(one, aliases.get(str(one.version), [])) for one in found]
        return sorted(versions, key=lambda one: -int(one.number))

    def alias(self, version: Version, alias: str) -> None:
        """Give a version an alias, taking it from the one that has it."""
        self.client.set_registered_model_alias(version.name, alias, version.number)

    def champions(self, name: str) -> list[str]:
        """The versions that were champion, the present one last."""
        return [str(one) for one in json.loads(self.client.get_registered_model(name).tags.get(CHAMPIONS, "[]"))]

    def crown(self, version: Version) -> None:
        """Make a version the champion, and remember who was."""
        history = self.champions(version.name)
        if history[-1:] != [version.number]:
            history.append(version.number)
        self.client.set_registered_model_tag(version.name, CHAMPIONS, json.dumps(history))
        self.alias(version, CHAMPION)
        if CHALLENGER in version.aliases:
            self.client.delete_registered_model_alias(version.name, CHALLENGER)

    def roll_back(self, name: str) -> tuple[str, Version]:
        """Make the champion before this one the champion again: the version that was, and the one that is."""
        self.versions(name)  # told in words where there is no such model
        history = self.champions(name)
        if len(history) < 2:
            raise TrackingError(f"{name} has had {len(history)} champions; there is none to go back to")
        *rest, gone = history
        before = self.named(f"{name}@{rest[-1]}")
        self.alias(before, CHAMPION)  # first: what is cut off here and done again goes back to the same one
        self.client.set_registered_model_tag(name, CHAMPIONS, json.dumps(rest))
        return gone, before

    def champion(self, name: str) -> Version | None:
        """The present champion of a model."""
        return next((one for one in self.versions(name) if CHAMPION in one.aliases), None)


def version_of(found: ModelVersion, aliases: list[str]) -> Version:
    """A version as MLflow tells it."""
    tags = found.tags
    verdict, dataset, manifest = (str(tags.get(f"velatura.{key}", "")) for key in ("verdict", "dataset", "manifest"))
    number, run = str(found.version), str(found.run_id)
    return Version(found.name, number, run, verdict, dataset, manifest, tuple(sorted(aliases)))
