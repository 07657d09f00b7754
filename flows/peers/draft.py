"""A recipe while it is written from another trainer's keys; it keeps account of which of them were heeded."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import RecipeError

EMPTY: tuple[Any, ...] = (None, "", "None", "null", [], {}, "---")
OFF: tuple[Any, ...] = (*EMPTY, False, 0, "0", 0.0, "false", "False")
"""values that mean that a key does nothing"""
OURS = (
    "filters, split: what is not usable or doubled is left out and a fifth is held out, so that overfitting shows; "
    "`filters: []` trains on all",
    "train.probe_every, checkpoint_every: how often the model is looked at and saved are our defaults",
)


@dataclass
class Draft:
    """``values``: the peer's keys, flat."""

    values: Mapping[str, Any]
    recipe: dict[str, Any] = field(default_factory=dict)
    left: dict[str, tuple[Any, str]] = field(default_factory=dict)
    """keys that were not carried over -> (value, why)"""
    notes: list[str] = field(default_factory=list)
    _heeded: set[str] = field(default_factory=set)

    def take(self, *names: str) -> Any:
        """The first of these keys that says something; all of them count as heeded."""
        self._heeded |= set(names)
        return next((self.values[name] for name in names if self.values.get(name) not in EMPTY), None)

    def number(self, *names: str) -> float | None:
        """The same as a number; `RecipeError` where it is none."""
        value = self.take(*names)
        if value is None:
            return None
        if isinstance(value, list) and value:
            value = value[0]
        try:
            return float(value)
        except (TypeError, ValueError):
            raise RecipeError(f"{names[0]}: {value!r} is not a number") from None

    def whole(self, *names: str) -> int | None:
        """The same as a whole number."""
        value = self.number(*names)
        return None if value is None else round(value)

    def is_on(self, *names: str) -> bool:
        """Whether one of these keys is switched on."""
        return self.take(*names) not in OFF

    def put(self, path: str, value: Any) -> None:
        """Set ``train.adapter.rank`` and the like; nothing where there is no value."""
        if value is None:
            return
        here = self.recipe
        *parents, last = path.split(".")
        for parent in parents:
            here = here.setdefault(parent, {})
        here[last] = plain(value)

    def leave(self, name: str, why: str) -> None:
        """A key that is not carried over; nothing where it says nothing."""
        self._heeded.add(name)
        if self.values.get(name) not in OFF:
            self.left[name] = self.values[name], why

    def finish(self, reasons: Mapping[str, str], needless: str) -> None:
        """Account for all other keys: by ``reasons`` (key or pattern), or passed over where they match ``needless``."""
        for name, value in self.values.items():
            if name in self._heeded or value in OFF or re.fullmatch(needless, name):
                continue
            why = next((words for pattern, words in reasons.items() if re.fullmatch(pattern, name)), "")
            self.left[name] = value, why or "there is no key for it here"
        self.notes += OURS


def plain(value: Any) -> Any:
    """Whole floats as whole numbers."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53 else value


def flattened(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings by dotted keys; lists stay whole."""
    flat: dict[str, Any] = {}
    for key, item in value.items():
        name = f"{prefix}{key}"
        flat.update(flattened(item, f"{name}.") if isinstance(item, dict) and item else {name: item})
    return flat


def name_for(words: object) -> str:
    """A recipe's name from anything."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", str(words)).strip("-._")
    return name or "imported"


def side_of(resolution: object) -> tuple[int | None, str]:
    """The side of the square with the area that is meant by ``512``, ``"512,768"`` or ``[512, 768]``; a word on it."""
    if resolution is None:
        return None, ""
    parts = resolution if isinstance(resolution, list) else re.split(r"[,x* ]+", str(resolution).strip("()[] "))
    try:
        sides = [int(float(part)) for part in parts if str(part).strip()]
    except ValueError:
        raise RecipeError(f"resolution: {resolution!r} is no size in pixels") from None
    if not sides:
        return None, ""
    if len(set(sides[:2])) == 1:
        return sides[0], ""
    side = round(math.sqrt(sides[0] * sides[1]))
    return side, f"resolution {resolution} became {side}, the square of the same area; buckets keep the pictures' shape"
