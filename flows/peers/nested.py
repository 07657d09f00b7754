"""YAML configurations of other trainers: files that build on others, values that point at others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from core.errors import RecipeError

_NAME = re.compile(r"\$\{([^{}]*)\}")
_PRODUCT = re.compile(r"\d+(?:\s*[*,]\s*\d+)*")


class Loader(yaml.SafeLoader):
    """Plain values only; 1e-4 is a number."""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_yaml(path: Path, program: str) -> dict[str, Any]:
    """One file; `RecipeError` where it is none of the program's."""
    try:
        value = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"{path} cannot be read as a configuration of {program}: {error}") from None
    if not isinstance(value, dict):
        raise RecipeError(f"{path} is no configuration of {program}: it holds no keys")
    return value


def with_bases(path: Path, program: str, notes: list[str], seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """A file over those that its ``_base_`` names, which are written from the project's own folder."""
    if path in seen:
        raise RecipeError(f"{path}: _base_ leads back to it")
    value = read_yaml(path, program)
    below: dict[str, Any] = {}
    bases = value.pop("_base_", None) or []
    for name in [bases] if isinstance(bases, str) else bases:
        places = [folder / name for folder in (Path.cwd(), path.parent, *path.resolve().parents)]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            notes.append(f"_base_ {name} was not found from {path.parent} upwards: its values are not carried over")
        else:
            below = laid_over(below, with_bases(found, program, notes, (*seen, path)))
    return laid_over(below, value)


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """The keys of both; of mappings inside, too."""
    both = dict(below)
    for key, item in above.items():
        old = both.get(key)
        both[key] = laid_over(old, item) if isinstance(old, dict) and isinstance(item, dict) else item
    return both


def resolved(value: Any, whole: dict[str, Any]) -> Any:
    """``${a.b}`` as what stands there, sizes like ``${times:512,512}`` as numbers; what is not known stays as it is."""
    if isinstance(value, dict):
        if value.get("_target_") == "builtins.eval":
            arguments = value.get("_args_") or [""]
            return area(str(arguments[0])) or value
        return {key: resolved(item, whole) for key, item in value.items()}
    if isinstance(value, list):
        return [resolved(item, whole) for item in value]
    found = _NAME.search(value) if isinstance(value, str) else None
    if found is None:
        return value
    if found[0] != value:  # one inside another, or inside a text
        filled = value.replace(found[0], str(resolved(found[0], whole)))
        return value if filled == value else resolved(filled, whole)
    name = found[1]
    if ":" in name:
        return area(name.partition(":")[2].strip("\"' ")) or value
    here: Any = whole
    for step in name.split("."):
        here = here.get(step) if isinstance(here, dict) else None
    return value if here is None or here == value else resolved(here, whole)


def area(text: str) -> int | None:
    """``512*512`` or ``512,512`` multiplied out; nothing else is worked out."""
    if not _PRODUCT.fullmatch(text.strip()):
        return None
    product = 1
    for number in re.findall(r"\d+", text):
        product *= int(number)
    return product
