"""The vocabulary: facets of a picture, each with its phrases. Our own words, in ``vocabulary/``, one file per facet."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.block import explain
from core.errors import RecipeError
from core.hashing import digest

DEFAULT = Path(__file__).parent / "vocabulary"


@dataclass(frozen=True, slots=True)
class Phrase:
    """One thing that can be said."""

    say: str
    also: tuple[str, ...] = ()
    """other words for it: they are looked for too, but never said"""
    implies: tuple[str, ...] = ()
    """what need not be said beside it"""

    @property
    def forms(self) -> tuple[str, ...]:
        """All words under which it is looked for."""
        return (self.say, *self.also)


class Facet(BaseModel):
    """One question about a picture and the answers to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    phrases: tuple[Phrase, ...] = Field(min_length=1)
    exclusive: bool = False
    """True: answers share one whole with each other and ``null``. False: each is weighed against the rest of the set"""
    templates: tuple[str, ...] = Field(("{}",), min_length=1)
    """sentences around a phrase; what CLIP makes of all of them is averaged"""
    null: tuple[str, ...] = ()
    """what is said of a picture that has no answer"""
    threshold: float = Field(0.95, ge=0, le=1)
    """score from which a phrase is said"""
    fits: float = Field(0.1, ge=0, le=1)
    """the same of an open facet for a CLIP that was trained with a sigmoid (SigLIP), which says low numbers"""
    most: int = Field(1, ge=1)
    """how many of its phrases a caption gets"""
    joined: str = ", "
    """what stands between them"""

    def model_post_init(self, _: object) -> None:
        """Refuse what could not be ranked."""
        if any("{}" not in template for template in self.templates):
            raise ValueError("templates: each needs a {} where the phrase goes")
        if self.exclusive and not self.null:
            raise ValueError("an exclusive facet needs `null:`, what is said if no answer fits")

    @cached_property
    def answers(self) -> frozenset[str]:
        """What its phrases say."""
        return frozenset(phrase.say for phrase in self.phrases)

    @cached_property
    def fingerprint(self) -> str:
        """Follows from all of it, in order."""
        return digest("facet", self.model_dump(mode="json"))


def vocabulary(where: str) -> dict[str, Facet]:
    """``"default"``, or the default with what the YAML file ``where`` says beside it.

    In the file, a facet that is a list adds phrases to ours (or makes a new open facet); a mapping with ``phrases:``
    replaces it. `docs/captions.md` shows such a file.
    """
    facets = {path.stem: _facet(path.stem, _read(path), path) for path in sorted(DEFAULT.glob("*.yaml"))}
    if where == "default":
        return facets
    path = Path(where).expanduser()
    said = _read(path)
    if not isinstance(said, dict):
        raise RecipeError(f"vocabulary {path}: expected facets with their phrases, such as `subject: [a red kettle]`")
    for name, body in said.items():
        if isinstance(body, list) and name in facets:
            known = facets[name]
            facets[name] = known.model_copy(update={"phrases": _unique((*known.phrases, *_phrases(body, (), path)))})
        else:
            facets[name] = _facet(str(name), {"phrases": body} if isinstance(body, list) else body, path)
    return facets


def _read(path: Path) -> Any:
    try:
        return yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise RecipeError(f"vocabulary: {path} cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"vocabulary {path}: not YAML: {error}") from error


def _facet(name: str, body: Any, path: Path) -> Facet:
    if not isinstance(body, dict) or "phrases" not in body:
        raise RecipeError(f"vocabulary {path}: {name}: expected a list of phrases, or a mapping with `phrases:`")
    try:
        return Facet(**{**body, "name": name, "phrases": _unique(_phrases(body["phrases"], (), path))})
    except ValidationError as error:
        raise RecipeError(f"vocabulary {path}: {name}: {explain(error, Facet)}") from None


def _phrases(body: Any, implied: tuple[str, ...], path: Path) -> list[Phrase]:
    """A list of phrases; a mapping of what is implied to such lists; a phrase is its words, or a mapping."""
    if isinstance(body, dict):
        return [phrase for key, items in body.items() for phrase in _phrases(items, (*implied, str(key)), path)]
    if not isinstance(body, Sequence) or isinstance(body, str):
        raise RecipeError(f"vocabulary {path}: expected a list of phrases, not {body!r}")
    found = []
    for item in body:
        if isinstance(item, dict) and isinstance(item.get("say"), str) and not set(item) - {"say", "also", "implies"}:
            implies = (*implied, *map(str, item.get("implies", ())))
            found.append(Phrase(_clean(item["say"]), tuple(map(_clean, item.get("also", ()))), implies))
        elif isinstance(item, str):
            found.append(Phrase(_clean(item), (), implied))
        else:
            raise RecipeError(
                f"vocabulary {path}: a phrase is words or {{say: ..., also: [...], implies: [...]}}, not {item!r}"
            )
    return found


def _clean(words: Any) -> str:
    return " ".join(str(words).replace("_", " ").split())


def _unique(phrases: Sequence[Phrase]) -> tuple[Phrase, ...]:
    """The first of each phrase, so that a user's own word may repeat ours."""
    return tuple({phrase.say: phrase for phrase in reversed(phrases)}.values())[::-1]
