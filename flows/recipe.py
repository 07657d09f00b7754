"""A recipe is one complete run as a value: YAML, Prefect parameters and MLflow parameters are the same thing."""

import difflib
import importlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from augment.acceptance import Acceptance
from augment.generator import Generator
from augment.transform import Transform
from backbones.family import UNKNOWN, Family, family_of
from captioning.captioner import Captioner
from core.block import Block, Choice, explain
from core.errors import RecipeError
from core.hashing import digest
from curation.filter import Filter
from curation.reading import Frames, Reading
from curation.source import Source
from curation.splits import Split
from evaluation.metric import Metric
from flows.deciding import Retrain
from flows.engine import Engine
from training.buckets import Buckets
from training.captions import Captions
from training.class_pictures import ClassPictures
from training.masks import Masks
from training.spec import Train
from training.text_encoder import TextEncoder


class Part(BaseModel):
    """A section of a recipe: frozen, and a key that it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Augment(Part):
    """What is made from the training pictures before training; held-out pictures are never touched."""

    transforms: tuple[Annotated[Transform, Choice(Transform)], ...] = ()
    generators: tuple[Annotated[Generator, Choice(Generator)], ...] = ()
    copies: int = Field(default=1, ge=1, description="how many pictures each block makes of each parent")
    depth: int = Field(default=1, ge=1, le=3, description="1: made from real pictures only; 2: also from what was made")
    share: float = Field(default=0.5, ge=0, le=0.9, description="derived pictures are at most this share of the steps")
    accept: Acceptance = Field(default=Acceptance(), description="which pictures that a model drew are trained on")
    seed: int = 0


PRIOR_PROMPTS = tuple(
    f"a photo of a {thing}"
    for thing in ("dog", "cat", "house", "tree", "car", "person", "flower", "bird", "chair", "boat", "mountain", "cup")
)


class Samples(Part):
    """The pictures that are drawn to look at: the same prompts and seeds with the base and with the tuned model."""

    prompts: tuple[str, ...] = Field(default=(), description="what is drawn; empty: captions of held-out pictures")
    count: int = Field(default=8, ge=1, description="how many captions are taken where no prompts are given")
    previews: int = Field(default=4, ge=0, description="how many of them are drawn at each looked-at step")
    prior: tuple[str, ...] = Field(
        default=PRIOR_PROMPTS, description="ordinary prompts, without the trigger: what must not be forgotten"
    )
    memorisation: int = Field(
        default=24,
        ge=0,
        description="how many samples are compared with the training pictures; thrice as many if copies are in doubt",
    )
    seed: int = 0
    steps: int = Field(default=20, ge=1)
    guidance: float = Field(default=4.0, ge=1)
    clip: str = Field(
        default="pocket", description="the CLIP that compares pictures: `pocket`, `local-dir:FOLDER`, ..."
    )


class Recipe(Part):
    """Everything that a run depends on. Two runs with equal recipes and equal data give equal weights."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="the model's name in the registry")
    pictures: Annotated[Source, Choice(Source)]
    base: str = Field(
        default="pocket", description="`pocket`, a diffusers folder, a .safetensors checkpoint, or a name on the hub"
    )
    dataset: str = Field(
        default="", pattern=r"^[A-Za-z0-9._-]*$", description="the store's name; empty: the recipe's name"
    )
    snapshot: str = Field(
        default="",
        description="train on this version of the dataset as it is: data-0003, or a name of yours "
        "(`velatura data tag`); empty: read `pictures` first",
    )
    home: str = Field(default="", description="the data folder; empty: $VELATURA_DATA or ./velatura-data")
    store: str = Field(
        default="",
        description="where the dataset is kept, such as s3://bucket/datasets; empty: `datasets` in the data folder",
    )
    engine: Annotated[Engine, Choice(Engine)] = Engine.parse("local")
    reading: Reading = Reading()
    filters: tuple[Annotated[Filter, Choice(Filter)], ...] = tuple(
        Filter.parse(kind) for kind in ("resolution", "information", "near_duplicate")
    )
    split: Split = Split()
    fold: tuple[int, int] | None = Field(
        default=None, description="hold out this part of so many, such as [1, 3]; what `split.k_fold` runs, one by one"
    )
    captioner: Annotated[Captioner, Choice(Captioner)] = Captioner.parse("clip_tags")
    augment: Augment = Augment()
    train: Train = Train()
    samples: Samples = Samples()
    metrics: tuple[Annotated[Metric, Choice(Metric)], ...] = tuple(
        Metric.parse(kind) for kind in ("probe", "prior_drift", "memorisation", "strength", "which_part")
    )
    retrain: Retrain = Retrain()

    @field_validator("metrics")
    @classmethod
    def _probed(cls, metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
        if not any(metric.kind == "probe" for metric in metrics):
            raise ValueError("`probe` must be among the metrics: the checkpoint to keep is chosen by it")
        return metrics

    @property
    def family(self) -> Family:
        """The base as a block; `MissingBase` where there is none, `RecipeError` where the objective is not its own.

        A model of the hub that is not in its local cache is fetched here.
        """
        family = family_of(self.base)
        if family.prediction != UNKNOWN:
            self.train.objective.check(family.prediction)
        return family

    def model_key(self, manifest: str) -> str:
        """What a trained model follows from: the data's manifest, the base, and how it is trained and looked at."""
        spec = self.model_dump(mode="json", include={"name", "augment", "train", "samples", "metrics"})
        if self.fold or self.split.k_fold:
            spec["folds"] = self.fold or self.split.k_fold
        if self.reading.matte != Reading().matte:  # the one thing that changes pixels and not the manifest
            spec["matte"] = self.reading.matte
        if self.train.masks is not None and self.train.masks.folder:
            spec["masks"] = self.train.masks.files
        if self.train.start_from:  # what counts is what stands in the file, not where it is
            from training.beginning import identity_of

            spec["train"]["start_from"] = identity_of(self.train.start_from)
        return digest("model", manifest, self.family.files.digest, spec)

    def flat(self) -> dict[str, str]:
        """Dotted path to value, as MLflow's parameters table shows it."""
        return flatten(self.model_dump(mode="json"))


def flatten(value: object, path: str = "") -> dict[str, str]:
    """Nested mappings and lists as dotted paths."""
    if isinstance(value, dict) and value:
        items = ((str(key), item) for key, item in value.items())
    elif isinstance(value, list) and value and any(isinstance(item, dict | list) for item in value):
        items = ((str(index), item) for index, item in enumerate(value))
    else:
        return {path: yaml.safe_dump(value, default_flow_style=True, width=1 << 20).removesuffix("...\n").strip()}
    flat: dict[str, str] = {}
    for key, item in items:
        flat.update(flatten(item, f"{path}.{key}" if path else key))
    return flat


def read_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """A recipe file with ``key=value`` changes applied; every mistake is told with its path before anything starts."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        others = {p.name: str(p) for folder in (Path("recipes"), path.parent) for p in sorted(folder.glob("*.yaml"))}
        near = difflib.get_close_matches(path.name, others, n=1, cutoff=0.7)
        there = ", ".join(others.values())
        hint = f"did you mean {others[near[0]]}?" if near else f"there are {there}" if there else "write its path"
        raise RecipeError(f"there is no recipe {path}; {hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} cannot be read as a recipe: {error}") from None
    try:
        value = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise RecipeError(f"{path} is not YAML: {error}") from None
    if not isinstance(value, dict):
        raise RecipeError(f"{path}: a recipe is a mapping with at least `name:` and `pictures:`")
    for change in changes:
        apply_change(value, change)
    return check(value, str(path), changes)


def check(value: dict[str, Any], where: str, changes: Sequence[str] = ()) -> Recipe:
    """A recipe from plain values; `RecipeError` lists every mistake with its path and what is known there.

    ``where`` is the file that is to blame, unless one of the ``changes`` to it is.
    """
    try:
        return Recipe.model_validate(value)
    except ValidationError as error:
        lines = explain(error, Recipe).splitlines()
        raise RecipeError("\n".join(f"{blamed(line, where, changes)}: {suggest(line)}" for line in lines)) from None


def blamed(line: str, where: str, changes: Sequence[str]) -> str:
    """Whose mistake a line of `core.block.explain` tells: the change's that set this key, or the file's, or both's."""
    path = line.partition(":")[0]
    for change in changes:
        key = change.partition("=")[0]
        if f"{path}.".startswith(f"{key}."):
            return f"the change {change!r}"
        if f"{key}.".startswith(f"{path}."):
            return f"{where} with {change!r}"
    return where


def apply_change(value: dict[str, Any], change: str) -> None:
    """Set ``a.b.0.c=value`` in nested mappings and lists; the value is read as YAML."""
    path, equals, text = change.partition("=")
    if not equals or not path:
        raise RecipeError(f"{change!r}: a change is written key=value, for example train.steps=200")
    try:
        new = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise RecipeError(f"{change!r}: the value is not YAML: {error}") from None
    *parents, last = path.split(".")
    here: Any = value
    for part in parents:
        here = _step_into(here, part, change)
    if isinstance(here, list):
        here[_index(here, last, change)] = new
    else:
        here[last] = new


def _step_into(here: Any, part: str, change: str) -> Any:
    """The child ``part``; a kind written as a bare name becomes a mapping, and a missing section is made."""
    key: Any = _index(here, part, change) if isinstance(here, list) else part
    child = here[key] if isinstance(here, list) else here.get(key, {})
    if isinstance(child, str):
        child = {"kind": child}
    if not isinstance(child, dict | list):
        raise RecipeError(f"{change!r}: {part} is a value, not a section")
    here[key] = child
    return child


def _index(here: list[Any], part: str, change: str) -> int:
    if not part.isdigit() or int(part) >= len(here):
        raise RecipeError(f"{change!r}: {part} is not a position in a list of {len(here)}")
    return int(part)


def suggest(line: str) -> str:
    """Add "did you mean" to a line of `core.block.explain` about an unknown key."""
    head, marker, known = line.partition(": no such key; known here: ")
    if not marker:
        return line
    near = difflib.get_close_matches(head.rpartition(".")[2].rpartition(" ")[2], known.split(", "), n=1)
    return f"{line}" if not near else f"{head}: no such key; did you mean `{near[0]}`? Known here: {known}"


class _Loader(yaml.SafeLoader):
    """YAML as people mean it: a key that stands twice is a mistake, and 1e-3 is a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {str(key) for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"{', '.join(sorted(twice))} stands twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


_SCIENTIFIC = re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$")
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _SCIENTIFIC, list("-+0123456789"))

PARTS: dict[str, type[BaseModel]] = {
    "recipe": Recipe,
    "reading": Reading,
    "frames": Frames,
    "split": Split,
    "augment": Augment,
    "accept": Acceptance,
    "train": Train,
    "buckets": Buckets,
    "captions": Captions,
    "masks": Masks,
    "class_pictures": ClassPictures,
    "text_encoder": TextEncoder,
    "samples": Samples,
    "retrain": Retrain,
}
FAMILIES: dict[str, str] = {
    "engine": "flows.engine:Engine",
    "source": "curation.source:Source",
    "filter": "curation.filter:Filter",
    "export": "curation.export:Export",
    "captioner": "captioning.captioner:Captioner",
    "transform": "augment.transform:Transform",
    "generator": "augment.generator:Generator",
    "family": "backbones.family:Family",
    "adapter": "training.adapter:Adapter",
    "objective": "training.objective:Objective",
    "optimizer": "training.optimizer:Optimizer",
    "schedule": "training.schedule:Schedule",
    "metric": "evaluation.metric:Metric",
    "remedy": "evaluation.remedy:Remedy",
}


def family_named(name: str) -> type[Block]:
    """The family of kinds that `velatura kinds` lists under ``name``."""
    module, _, attribute = FAMILIES[name].partition(":")
    family: type[Block] = getattr(importlib.import_module(module), attribute)
    return family
