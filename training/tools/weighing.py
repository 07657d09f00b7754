"""How much of each file goes into a merge: a weight per file, and others for parts of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from backbones.layer_names import begins
from core.errors import RecipeError


@dataclass(frozen=True)
class Weights:
    """One number per file; for the layers of a part others."""

    usual: tuple[float, ...]
    parts: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """by part of the network, ``up_blocks.1``; the longest name that a layer begins with counts"""

    @classmethod
    def parse(cls, usual: str, parts: Sequence[str], count: int, default: float) -> Weights:
        """From ``0.7,0.3`` and ``up_blocks.1=0,1``; ``default`` for each file where nothing is said."""
        read = numbers(usual, count, "--weights") if usual else (default,) * count
        of_parts = {}
        for one in parts:
            name, equals, text = one.partition("=")
            if not equals or not name.strip():
                raise RecipeError(f"--blocks {one!r}: it is written PART=W1,W2, such as up_blocks.1=0.2,0.8")
            of_parts[name.strip()] = numbers(text, count, f"--blocks {name}")
        return cls(read, of_parts)

    def of(self, layer: str) -> tuple[float, ...]:
        """Those of one layer or tensor."""
        for part in sorted(self.parts, key=len, reverse=True):
            if begins(layer, part):
                return self.parts[part]
        return self.usual

    def check(self, layers: Sequence[str]) -> None:
        """`RecipeError` where a part is named that nothing is in."""
        for part in self.parts:
            if not any(begins(layer, part) for layer in layers):
                from backbones.layer_names import part_of

                known = ", ".join(sorted({part_of(layer) for layer in layers}))
                raise RecipeError(f"--blocks {part}: nothing is in that part; there are {known}")

    @property
    def words(self) -> str:
        """For the metadata of what was made."""
        said = ",".join(f"{one:g}" for one in self.usual)
        parts = (f"{part}={','.join(f'{one:g}' for one in some)}" for part, some in self.parts.items())
        return " ".join((said, *parts))


def numbers(text: str, count: int, what: str) -> tuple[float, ...]:
    """``0.7,0.3``; `RecipeError` where there are not as many as files."""
    try:
        found = tuple(float(one) for one in text.split(","))
    except ValueError:
        raise RecipeError(f"{what} {text!r}: weights are numbers with commas between, such as 0.7,0.3") from None
    if len(found) != count:
        raise RecipeError(f"{what} {text!r}: {len(found)} weights for {count} files; give one for each, in their order")
    return found
