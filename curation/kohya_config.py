"""Kohya's dataset files (.toml, .json): which folders there are, and what their keys say of the pictures in them."""

import difflib
import json
import tomllib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.block import explain
from core.errors import SourceError
from core.marks import KEEP_LAST_TOKENS, KEEP_TOKENS, REGULARISATION
from curation.places import Place

Style = Literal["dreambooth", "fine_tuning"]
DATASET_KEYS = """
    batch_size bucket_no_upscale bucket_reso_steps enable_bucket max_bucket_reso min_bucket_reso network_multiplier
    resolution validation_seed validation_split
"""
SUBSET_KEYS = """
    cache_info caption_dropout_every_n_epochs caption_dropout_rate caption_tag_dropout_rate color_aug custom_attributes
    face_crop_aug_range flip_aug random_crop resize_interpolation token_warmup_min token_warmup_step
"""
OF_TRAINING = frozenset((*DATASET_KEYS.split(), *SUBSET_KEYS.split()))
"""keys that say how to train; a recipe has its own words for that"""
OF_MEANING = {
    "alpha_mask": "it makes transparency a mask of the loss, which is not carried over",
    "conditioning_data_dir": "it gives each picture a control picture, which is not carried over",
}


class Subset(BaseModel):
    """One folder or one metadata file, with all that holds for its pictures; the names are kohya's."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    style: Style = "dreambooth"
    image_dir: str = ""
    metadata_file: str = ""
    num_repeats: int = 1
    is_reg: bool = False
    class_tokens: str | None = None
    caption_extension: str = ""
    caption_separator: str = Field(default=",", min_length=1)
    caption_prefix: str = ""
    caption_suffix: str = ""
    shuffle_caption: bool = False
    keep_tokens: int = Field(default=0, ge=0)
    keep_tokens_separator: str = ""
    secondary_separator: str = ""
    enable_wildcard: bool = False
    dataset: int = 0
    """its number in the file"""

    def tags(self, keep: int, keep_last: int) -> tuple[str, ...]:
        """What a picture of it is tagged with."""
        tags = [self.class_tokens] if self.class_tokens else []
        tags += [REGULARISATION] if self.is_reg else []
        tags += [f"{KEEP_TOKENS}{keep}"] if keep else []
        return (*tags, *([f"{KEEP_LAST_TOKENS}{keep_last}"] if keep_last else []))


def read_config(place: Place, ignored: Collection[str]) -> tuple[list[Subset], list[str]]:
    """The subsets of a dataset file in order, and what a person should hear of keys that are not taken over.

    As in kohya a subset's key wins over its dataset's, and that over the general one.
    """
    value = parsed(place)
    wrong = sorted(value.keys() - {"general", "datasets"})
    if wrong:
        raise SourceError(f"{place.uri}: {suggestion(wrong[0], ['general', 'datasets'])}")
    general, datasets = value.get("general", {}), value.get("datasets", [])
    if not isinstance(general, dict) or not is_list_of_tables(datasets):
        raise SourceError(f"{place.uri}: [general] must be a table, and [[datasets]] a list of tables")
    subsets: list[Subset] = []
    left_out: dict[str, list[str]] = {}
    for number, dataset in enumerate(datasets):
        inner = dataset.get("subsets", [])
        if not is_list_of_tables(inner):
            raise SourceError(f"{place.uri}: datasets[{number}].subsets must be written [[datasets.subsets]]")
        outer = {key: item for key, item in dataset.items() if key != "subsets"}
        for at, own in enumerate(inner):
            where = f"{place.uri}: datasets[{number}].subsets[{at}]"
            merged = {key: item for key, item in {**general, **outer, **own}.items() if item is not None}
            for key in sorted(key for key in merged if key in OF_TRAINING and merged[key]):
                said = json.dumps(merged[key], default=str)
                left_out[key] = [*(one for one in left_out.get(key, []) if one != said), said]
            subsets.append(subset_of(merged, where, number, ignored))
    if not subsets:
        raise SourceError(f"{place.uri} names no pictures: it needs [[datasets]] with [[datasets.subsets]]")
    if len({(one.dataset, one.style) for one in subsets}) > len({one.dataset for one in subsets}):
        raise SourceError(f"{place.uri}: subsets with and without metadata_file cannot stand in one [[datasets]]")
    return subsets, words_for(place, left_out)


def parsed(place: Place) -> Mapping[str, Any]:
    """The file as plain values."""
    try:
        text = place.read().decode("utf-8-sig")
        value = json.loads(text) if place.name.lower().endswith(".json") else tomllib.loads(text)
    except OSError as error:
        raise SourceError(f"{place.uri} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:  # wrong TOML, wrong JSON, not UTF-8
        raise SourceError(f"{place.uri} cannot be read as a dataset file of kohya: {error}") from None
    if not isinstance(value, dict):
        raise SourceError(f"{place.uri} is no dataset file of kohya: it must hold `datasets`")
    return value


def is_list_of_tables(value: object) -> bool:
    """Whether it is what ``[[name]]`` makes."""
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def subset_of(merged: Mapping[str, Any], where: str, number: int, ignored: Collection[str]) -> Subset:
    """One subset from all keys that hold for it."""
    known = [key for key in Subset.model_fields if key not in ("style", "dataset")]
    mine = {key: item for key, item in merged.items() if key not in OF_TRAINING and key not in ignored}
    for key, item in mine.items():
        if key in OF_MEANING and item:
            raise SourceError(f"{where}: {key}: {OF_MEANING[key]}; leave it out with ignore: [{key}]")
        if key not in known and key not in OF_MEANING:
            raise SourceError(f"{where}: {suggestion(key, [*known, *OF_TRAINING, *OF_MEANING])}; or ignore: [{key}]")
    style: Style = "fine_tuning" if "metadata_file" in mine else "dreambooth"
    if style == "dreambooth" and not mine.get("image_dir"):
        raise SourceError(f"{where}: image_dir is missing: the folder of its pictures")
    try:
        return Subset(**{k: v for k, v in mine.items() if k not in OF_MEANING}, style=style, dataset=number)
    except ValidationError as error:
        raise SourceError("\n".join(f"{where}: {line}" for line in explain(error, Subset).splitlines())) from None


def suggestion(key: str, known: Collection[str]) -> str:
    """Words about a key that kohya does not have either."""
    near = difflib.get_close_matches(key, sorted(known), n=1)
    return f"there is no key {key!r}" + (f"; did you mean {near[0]}?" if near else "")


def words_for(place: Place, left_out: Mapping[str, Sequence[str]]) -> list[str]:
    """What is told of keys about training."""
    notes = []
    if "validation_split" in left_out:
        notes.append(
            f"{place.name}: validation_split is not taken over: `split.held_out` in the recipe says which share is "
            "held out, in whole groups of near-duplicates"
        )
    others = sorted(left_out.keys() - {"validation_split", "validation_seed"})
    if others:
        said = ", ".join(f"{key} = {' or '.join(left_out[key])}" for key in others)
        notes.append(f"{place.name}: not taken over, because it is about training and not about pictures: {said}")
    return notes
